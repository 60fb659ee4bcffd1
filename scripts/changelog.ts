const SECTIONS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']

type Release = { version: string, date: string | undefined, entries: number }

/** The releases of a changelog in the form of keepachangelog.com, newest first. */
export const releasesOf = (changelog: string): Release[] => changelog.split(/^## /m).slice(1).map(part => {
  const [, version, date] = /^\[([^\]]+)\](?: - (\S+))?$/m.exec(part.split('\n')[0]!) ?? []
  return { version: version ?? part.split('\n')[0]!, date, entries: part.match(/^\* \S/gm)?.length ?? 0 }
})

/** @returns where a changelog leaves the form, or does not know the version that is being worked on or was released last */
export function changelogFaults (changelog: string, version: string): string[] {
  const releases = releasesOf(changelog)
  const sections = [...changelog.matchAll(/^### (.+)$/gm)].map(([, name]) => name!)
  const newest = releases.find(({ version }) => version !== 'Unreleased')
  return [
    ...changelog.startsWith('# Changelog\n') ? [] : ['it does not begin with "# Changelog"'],
    ...sections.filter(name => !SECTIONS.includes(name)).map(name => `"${name}" is none of ${SECTIONS.join(', ')}`),
    ...releases.filter(({ version, date }) => version !== 'Unreleased' && (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(version) || !/^\d{4}-\d\d-\d\d$/.test(date ?? ''))).map(({ version }) => `"${version}" is not "[1.2.3] - 2026-01-31"`),
    ...releases.findIndex(({ version }) => version === 'Unreleased') > 0 ? ['"[Unreleased]" is not first'] : [],
    ...releases.filter(({ version, entries }) => version !== 'Unreleased' && entries === 0).map(({ version }) => `${version} has no entries`),
    ...newest === undefined || newest.version === version ? [] : [`package.json says ${version}, the newest release is ${newest.version}`],
    ...newest === undefined && !releases.some(({ entries }) => entries > 0) ? [`${version} has no entry`] : [],
  ]
}
