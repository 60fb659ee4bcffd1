import type { User } from '../core/users/store.ts'

/** A user as the API shows one. */
export const userAnswer = (user: User) => ({
  id: user.id,
  email: user.email,
  email_verified: user.emailVerified,
  name: user.name,
  locale: user.locale,
  profile: user.profile,
  roles: user.roles,
  created_at: user.createdAt.toISOString(),
})
