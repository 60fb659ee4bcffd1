/** For features, which may know a database but not the module that opens one. */
export { inTransaction } from '../db/client.ts'
