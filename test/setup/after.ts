import { startEmbedded } from '../../src/db/embedded/start.ts'
import { TEST_DATA } from './database.ts'

// Adopts the server that `before` left running, only to stop it. A server of the developer's is left alone.
if (!process.env['DATABASE_URL']) await (await startEmbedded(TEST_DATA)).stop()
