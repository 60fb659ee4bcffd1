import { isDeepStrictEqual } from 'node:util'

type Schema = {
  $ref?: string, title?: string, description?: string, type?: string | string[], properties?: Record<string, Schema>, items?: Schema, anyOf?: Schema[], additionalProperties?: boolean | Schema
}
type Content = Record<string, { schema: Schema }>
type Operation = {
  operationId: string, parameters?: { schema: Schema }[]
  requestBody?: { required?: boolean, content: Content }
  responses: Record<string, { description: string, content?: Content }>
}
export type Document = { paths: Record<string, Record<string, Operation>>, components: { schemas: Record<string, Schema> } }

/**
 * Whoever generates a client gets classes with names: a schema with a title becomes the component of that name, wherever it
 * stands, and a body without one is called after its operation.
 * @throws when an object of an answer has no name, or two schemas have the same
 */
export function nameSchemas ({ paths, components: { schemas } }: Document): void {
  const named = (schema: Schema, where: string): Schema => {
    if (schema.$ref !== undefined) return schema
    nameMembers(schema, where)
    if (schema.title === undefined) {
      if (Object.keys(schema.properties ?? {}).length > 0) throw new Error(`an object of ${where} has no title`)
      return schema
    }
    if (!isDeepStrictEqual(schemas[schema.title] ??= schema, schema)) throw new Error(`two schemas are called ${schema.title}; one is of ${where}`)
    return { $ref: `#/components/schemas/${schema.title}` }
  }
  const nameMembers = (schema: Schema, where: string): void => {
    for (const [name, member] of Object.entries(schema.properties ?? {})) schema.properties![name] = named(member, where)
    if (schema.items) schema.items = named(schema.items, where)
    if (schema.anyOf) schema.anyOf = schema.anyOf.map(each => named(each, where))
  }

  for (const [name, schema] of Object.entries(schemas)) nameMembers(schema, name)
  for (const { operationId, parameters, requestBody, responses } of Object.values(paths).flatMap(methods => Object.values(methods))) {
    for (const parameter of parameters ?? []) parameter.schema = named(parameter.schema, operationId)
    for (const media of Object.values(requestBody?.content ?? {})) {
      if (media.schema.$ref === undefined) media.schema.title ??= `${operationId[0]!.toUpperCase()}${operationId.slice(1)}Request`
      media.schema = named(media.schema, operationId)
    }
    for (const [status, { description, content }] of Object.entries(responses)) {
      for (const media of Object.values(content ?? {})) {
        // TypeBox has one place for what is said of the answer; it is no word about the schema.
        if (media.schema.description === description) delete media.schema.description
        media.schema = named(media.schema, `${operationId} ${status}`)
      }
    }
  }
}
