import t from 'tap'
import { canonicalEmail } from '../../src/lib/email-address.ts'

t.test('every spelling of one mailbox is one account', async t => {
  for (const spelling of ['ada@example.com', 'Ada@Example.COM', '  ada@example.com\t', 'ADA@EXAMPLE.COM\n', '\uFEFFada@example.com']) t.equal(canonicalEmail(spelling), 'ada@example.com', JSON.stringify(spelling))
  t.equal(canonicalEmail('ada@bücher.example'), 'ada@xn--bcher-kva.example')
  t.equal(canonicalEmail('ada@BÜCHER.example'), 'ada@xn--bcher-kva.example')
  t.equal(canonicalEmail('ada@bu\u0308cher.example'), 'ada@xn--bcher-kva.example', 'composed and decomposed')
  t.equal(canonicalEmail('ada@xn--bcher-kva.example'), 'ada@xn--bcher-kva.example')
})

t.test('what is canonical stays as it is when judged again', async t => {
  for (const address of ['ada@example.com', 'a.b+c@x-1.example', 'ada@bücher.example', 'ada@straße.example', 'ada@例え.jp', `${'a'.repeat(64)}@example.com`]) {
    const once = canonicalEmail(address)
    t.ok(once, address)
    t.equal(canonicalEmail(once!), once)
    t.match(once!, /^[\x21-\x7e]+$/, 'plain ASCII')
  }
})

t.test('an "@" that only looks like one does not separate', async t => {
  for (const at of ['\uFF20', '\uFE6B']) {
    t.equal(canonicalEmail(`ada${at}example.com`), null)
    t.equal(canonicalEmail(`victim${at}example.com@evil.example`), null)
    t.equal(canonicalEmail(`ada@evil${at}example.com`), null)
  }
  t.equal(canonicalEmail('ada@evil@example.com'), null)
})

t.test('look-alike letters never become somebody else\'s address', async t => {
  for (const local of ['\u0430da', '\uff21da', 'ada\u200b', 'ad\u00e0', '\u212a', '\u017fam', '\u0131']) t.equal(canonicalEmail(`${local}@example.com`), null, local)
  t.not(canonicalEmail('ada@ex\u0430mple.com'), 'ada@example.com', 'Cyrillic a in the domain is another domain')
  for (const domain of ['example\u3002com', 'example\u00ad.com', 'exa\u200bmple.com', 'ex%61mple.com', 'example.com:25', 'example.com/x', 'example.com?x', 'u:p@example.com', 'example.com#x', '[127.0.0.1]']) t.equal(canonicalEmail(`ada@${domain}`), null, domain)
})

t.test('NUL, line breaks, spaces, quotes and comments inside refuse', async t => {
  for (const address of ['ada\0@example.com', 'ada@example.com\0', 'ada@exa\0mple.com', 'ada\r\nBcc: x@example.com', 'a da@example.com', '"ada"@example.com', 'ada(x)@example.com', 'ada@exam ple.com', '<ada@example.com>', 'ada,eve@example.com']) {
    t.equal(canonicalEmail(address), null, JSON.stringify(address))
  }
})

t.test('what no mail server would deliver refuses', async t => {
  for (const address of ['', '@', 'ada', 'ada@', '@example.com', '.ada@example.com', 'ada.@example.com', 'a..b@example.com', 'ada@example', 'ada@localhost', 'ada@.com', 'ada@example..com', 'ada@-x.com', 'ada@x-.com', 'ada@127.0.0.1', 'ada@1.2.3', 'ada@example.com.']) {
    t.equal(canonicalEmail(address), null, address)
  }
})

t.test('lengths are those of RFC 5321, to the character', async t => {
  const label = 'a'.repeat(63)
  t.ok(canonicalEmail(`${'a'.repeat(64)}@example.com`))
  t.equal(canonicalEmail(`${'a'.repeat(65)}@example.com`), null)
  t.ok(canonicalEmail(`a@${label}.com`))
  t.equal(canonicalEmail(`a@a${label}.com`), null)
  const domain = (length: number) => `${`${label}.`.repeat(3)}${'b'.repeat(length - 192)}`
  t.ok(canonicalEmail(`a@${domain(252)}`), '254 in all')
  t.equal(canonicalEmail(`ab@${domain(252)}`), null, '255 in all')
  t.equal(canonicalEmail(`${' '.repeat(400)}ada@example.com`), null, 'nothing long is looked at')
  t.equal(canonicalEmail('a@' + 'a.'.repeat(100_000)), null)
})
