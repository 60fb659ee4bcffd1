import ajvCompiler from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'

type Check = { (data: unknown): boolean, errors?: unknown }
type Build<Compiled> = (externalSchemas: unknown, options: never) => (definition: Definition) => Compiled
type Definition = { schema: unknown, httpStatus?: string }

/**
 * What Fastify compiles of schemas, when it is first needed: making the compilers and the checks of fifty routes was a third of the
 * time to start, and most of them a node never uses, least of all those of errors, which are sent as they are.
 */
export const lateCompilers = {
  buildValidator: ((externalSchemas, options) => {
    const compile = once(() => (ajvCompiler as unknown as () => Build<Check>)()(externalSchemas, options))
    return definition => {
      let compiled: Check | undefined
      const check: Check = data => {
        compiled ??= compile()(definition)
        const passed = compiled(data)
        check.errors = compiled.errors
        return passed
      }
      return check
    }
  }) as Build<Check>,
  buildSerializer: ((externalSchemas, options) => {
    const compile = once(() => (SerializerSelector as unknown as () => Build<(data: unknown) => string>)()(externalSchemas, options))
    return definition => {
      if (isError(definition.httpStatus)) return JSON.stringify
      let compiled: ((data: unknown) => string) | undefined
      return data => (compiled ??= compile()(definition))(data)
    }
  }) as Build<(data: unknown) => string>,
}

function once<T> (make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

/** `problem.ts` and `oauth-problem.ts` write these, member by member: nothing to leave out. */
const isError = (status: string | undefined): boolean => status?.startsWith('4') === true || status?.startsWith('5') === true
