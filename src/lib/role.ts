/** Fits a header between commas, a URL, a shell word. */
export const isRole = (name: string): boolean => /^[A-Za-z0-9._:-]{1,64}$/.test(name)
