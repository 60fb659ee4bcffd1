/** The project's root, from src/ as from dist/. */
const root = new URL('../', import.meta.url)

export const migrationsFolder = new URL('prisma/migrations/', root)
export const packageFile = new URL('package.json', root)
