export type Environment = Readonly<Record<string, string | undefined>>

/** What a command answers when its arguments make no sense; the usage is printed then. */
export const MISUSED = 2

/** @returns the exit code */
export type Command = (args: readonly string[], env: Environment) => Promise<number>
