import type { World } from './world.ts'

/** An administrator's access token: the role in the database, and the scope asked for at sign-in. */
export async function operatorOf ({ signUp, signIn, sql }: Pick<World, 'signUp' | 'signIn' | 'sql'>): Promise<{ id: string, email: string, bearer: string }> {
  const { id, email } = await signUp()
  await sql('UPDATE users SET roles = \'{admin}\' WHERE id = $1', [id])
  return { id, email, bearer: (await signIn(email, { scope: 'account admin' })).access_token }
}
