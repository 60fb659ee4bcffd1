import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: ['dist/', 'dist-sdk/', 'src/db/generated/', 'src/sdk/client/generated/', '.tap/', '.data/', 'dist-server/', 'dist-release/', 'docs/.vitepress/dist/', 'docs/.vitepress/cache/', '**/dist/'] }),
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // Claims, JSON members and columns are snake_case on the wire; they keep their names while they pass through.
      camelcase: ['error', { properties: 'never', ignoreDestructuring: true }],
      // Members that belong together may share a line of a longer literal.
      '@stylistic/object-property-newline': 'off',
    },
  },
  { files: ['src/**', 'test/**', 'proof/**', 'examples/**'], rules: { 'max-lines': ['error', 300] } },
]
