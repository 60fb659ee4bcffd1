// Vectors: passlib 1.7.4, bcrypt and argon2-cffi (Python), Django's PBKDF2PasswordHasher, Python's hashlib, Apache's htpasswd; Firebase's is published
// in its repository (firebase/scrypt), the first scrypt one in RFC 7914 §12, the first PBKDF2 ones in RFC 6070 and RFC 7914 §11, the argon2 v=16 with 64 MiB in the reference's test.c.
import t from 'tap'
import { storedForm } from '../../src/core/passwords/foreign/foreign.ts'
import type { GivenHash } from '../../src/core/passwords/foreign/form.ts'
import { Passwords } from '../../src/core/passwords/hash.ts'

const PASSWORD = 'correct horse battery staple'
const waiter = { bucket: 'x' }
const passwords = new Passwords({ argon2MemoryKib: 7168, argon2Passes: 5 })
t.before(async () => await passwords.selfTest())

const FIREBASE = {
  algorithm: 'firebase-scrypt',
  hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  salt: '42xEC+ixf3L2lw==',
  signer_key: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
  salt_separator: 'Bw==',
  rounds: 8,
  mem_cost: 14,
}
const SHA256 = { algorithm: 'sha256', order: 'salt+password', salt: 'pepper&salt', salt_encoding: 'utf8', hash: 'dee66120a5aefe5788b3e9658e52c1a549254edd1ab7674d8d09efc02d4423de', encoding: 'hex' }
const PBKDF2 = { algorithm: 'pbkdf2', digest: 'sha512', iterations: 1000, salt: 'a salt of hashlib', salt_encoding: 'utf8', encoding: 'hex', hash: 'bfad514d9dcb1c62566cc899b4b5e32b3a0e275850e5a0402114b1c3278c2d56ee6cf78000d25bb8295e0fc259b47a95f4c813d7ef4e69e39cb67de05ec15707' }
const SCRYPT = { algorithm: 'scrypt', n: 4096, r: 8, p: 1, salt: 'a salt of hashlib', salt_encoding: 'utf8', encoding: 'hex', hash: '468a85924cb445fc1324b87ebe60e32a79941e4a44eaeb75080f298646e1ec90cd481dbb9f0e4fcfa9ead50723610f6a59e3110dfb3cdb7ec663c57be2cc30f4' }
const BCRYPT = '$2b$06$Wyd98bi9J3Wt2Y5mBDDcIeonTmf9NUhg2d0L294hUz/8pXJ.IEmRu'
const DJANGO = 'pbkdf2_sha256$2000$aSaltOfDjango$YKHpcrOrR+m+fpOKdMnTE7VQTQgQPU2Zo1UlEczQBus='

const vectors: Record<string, [GivenHash, string?]> = {
  'bcrypt $2b$': [BCRYPT],
  'bcrypt by name': [{ algorithm: 'bcrypt', hash: BCRYPT }],
  'bcrypt $2y$ of htpasswd': ['$2y$05$CA3upW/5xBfIumhz28P3f.IQYgGkBeeynZbwYWSikjtZ.hMPzU/..'],
  'bcrypt $2a$': [BCRYPT.replace('$2b$', '$2a$')],
  argon2i: ['$argon2i$v=19$m=8192,t=2,p=2$c2l4dGVlbiBieXRlIHNsdA$WzSU1yAqXXeqlE6nX66tf8/fADC1RgI1gZ3qZhzPVq0'],
  argon2d: ['$argon2d$v=19$m=8192,t=2,p=2$c2l4dGVlbiBieXRlIHNsdA$2M44rAkr2rf3niCi7udFoHyZtx7KeFKX3u00EzPOF0A'],
  argon2id: [{ algorithm: 'argon2id', hash: '$argon2id$v=19$m=8192,t=2,p=2$c2l4dGVlbiBieXRlIHNsdA$taJWmzJxF4YJ3h9uAhL4sj+CKv/GY+hYA0+gkHAOnPg' }],
  'argon2i, version 16': ['$argon2i$v=16$m=8192,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$7fPFPlIvc8nmin+6BvaibvFOc4Fc1zsEr9nc2RvIbXk'],
  'argon2i, version unsaid': ['$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ', 'password'],
  'scrypt of passlib': ['$scrypt$ln=12,r=8,p=2$DEEoRShlrBVirBVC6P0/xw$Oa2PYPcMdVL696WDRhlA31yC4f5xT0xsXqfD+5hDeMY'],
  'scrypt of RFC 7914': [{ ...SCRYPT, n: 1024, p: 16, salt: 'NaCl', hash: 'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640' }, 'password'],
  'scrypt of hashlib': [SCRYPT],
  Firebase: [FIREBASE, 'user1password'],
  'PBKDF2 of RFC 6070': [{ ...PBKDF2, digest: 'sha1', iterations: 4096, salt: 'salt', hash: '4b007901b765489abead49d926f721d065a429c1' }, 'password'],
  'PBKDF2 of hashlib': [PBKDF2],
  'PBKDF2-SHA-256 of passlib': ['$pbkdf2-sha256$2000$/T8nRMh5r3XOea8VwjhHqA$lm1Is/pgezMKGSC27Nd0eghlp6.Vf3IAAGo8prX0Vv8'],
  'PBKDF2-SHA-512 of passlib': ['$pbkdf2-sha512$2000$IoQwZuy9t3YuBUBIqRUC4A$Cj1qRXu7XU6RaNa0wt1QoeCNOxLs7FGnQ3i1WmEDnennARnk1qi3NtBgsxi0cB1twdldcbHB.6IS3EoH.RyEJg'],
  'PBKDF2-SHA-1 of passlib': ['$pbkdf2$2000$hXBurfU.57w3plSq1dpbKw$p5KVEzjeOFEzt.D781.UbzIs9Kk'],
  'PBKDF2 of Django': [DJANGO],
  'SSHA-256 of LDAP': ['{SSHA256}4RaM2GJW3ul2932I0h0fEaJmuY7vKE3Y9v7evyl2Xzv9HyNEaI0Rwg=='],
  'SSHA-512 of LDAP': ['{SSHA512}cJEByOb1VGycS1uWaZ+4l24nMxeHoHV9USzbrZsBra7SCTzfsf0U26oj7xDAPlp8h8gbRiC/FrYXSwQkxdcXmeod43wPAQBg'],
  'SHA-256, salt first, hex': [SHA256],
  'SHA-512, salt last, base64': [{ algorithm: 'sha512', order: 'password+salt', salt: 'cGVwcGVyJnNhbHQ=', hash: 'tEQYP6fC6zYdwZeFQItYLha+YNMYKTkfonN18sXNqB2KPJLbTKaSMzRuBz+6SUN9MJkfZjoZroWoeySVYVTJKA==' }],
}

const stored = (given: GivenHash): string => {
  const form = storedForm(given)
  if ('refused' in form) throw new Error(form.refused)
  return form.stored
}

for (const [name, [given, password = PASSWORD]] of Object.entries(vectors)) {
  t.test(`${name}: the password signs in, a wrong one does not, and the hash is argon2id from then on`, async t => {
    const hash = stored(given)
    t.equal(stored(hash), hash, 'what is stored is what an export says and an import reads')
    const verdict = await passwords.verify(hash, password, waiter)
    t.match(verdict, { ok: true })
    // argon2id is ours already: only its parameters are of another time.
    t.match(verdict, { rehash: /^\$argon2id\$v=19\$m=7168,t=5,p=1\$/ })
    for (const wrong of ['', `${password}x`, password.slice(1), password.toUpperCase()]) t.strictSame(await passwords.verify(hash, wrong, waiter), { ok: false })
  })
}

t.test('bcrypt: what follows the 72nd byte did not count where it was hashed, and does not count here', async t => {
  const hash = '$2b$05$9JhkwzbKLMeCu8XXcGuK.eWNCTEI8yZS4SQX.4EUS8RBuDmWQ2F1G'
  const long = '0123456789'.repeat(26)
  for (const form of [hash, hash.replace('$2b$', '$2a$'), hash.replace('$2b$', '$2y$')]) {
    for (const password of [long.slice(0, 72), long.slice(0, 80), long.slice(0, 255)]) t.match(await passwords.verify(form, password, waiter), { ok: true }, `${form.slice(0, 4)} ${password.length}`)
    t.strictSame(await passwords.verify(form, long.slice(0, 71), waiter), { ok: false })
  }
})

t.test('a password that was hashed as it was typed, in decomposed letters, is right however it is typed here', async t => {
  const [typed, normal] = ['pa\u0308ssword lang genug', 'p\u00e4ssword lang genug']
  const hash = '$2b$05$6iLsOrY3I0ggrsjh9uepaOmsw2bKi3sQbzV6vu5HxQzYQcZ/Zf4su'
  const verdict = await passwords.verify(hash, typed, waiter)
  t.match(verdict, { ok: true })
  const renewed = (verdict as { rehash: string }).rehash
  for (const password of [typed, normal]) t.strictSame(await passwords.verify(renewed, password, waiter), { ok: true, rehash: null })
})

t.test('a hash that would hold up a node is refused at import, and never computed where a row has it', async t => {
  const costly: GivenHash[] = [
    BCRYPT.replace('$06$', '$15$'), BCRYPT.replace('$06$', '$31$'),
    { ...SCRYPT, n: 2 ** 20 }, { ...SCRYPT, r: 999 }, { ...SCRYPT, p: 999 }, '$scrypt$ln=99,r=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ', '$scrypt$ln=30,r=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ',
    { ...FIREBASE, mem_cost: 24 }, { ...FIREBASE, rounds: 200 },
    { ...PBKDF2, iterations: 2_000_001 }, { ...PBKDF2, iterations: 99_999_999 }, DJANGO.replace('$2000$', '$99999999$'), { ...PBKDF2, digest: 'sha1', iterations: 600_000 },
    '$argon2i$v=19$m=4194304,t=1,p=1$c2l4dGVlbiBieXRlIHNsdA$WzSU1yAqXXeqlE6nX66tf8/fADC1RgI1gZ3qZhzPVq0', '$argon2d$v=19$m=1048576,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$WzSU1yAqXXeqlE6nX66tf8/fADC1RgI1gZ3qZhzPVq0',
  ]
  for (const given of costly) {
    t.strictSame(storedForm(given), { refused: 'hash_too_costly' }, JSON.stringify(given))
    if (typeof given !== 'string') continue
    // The processor's time: a busy machine lets a hash wait, and none of these is computed in so little of it.
    const before = process.cpuUsage()
    t.strictSame(await passwords.verify(given, PASSWORD, waiter), { ok: false })
    const { user, system } = process.cpuUsage(before)
    t.ok(user + system < 500_000, 'as cheap as an address without an account')
  }
})

t.test('what is no whole hash is refused: a short one would be right for many passwords', async t => {
  const broken: GivenHash[] = [
    '$2b$06$short', BCRYPT.replace('$06$', '$6$'), `${BCRYPT}\n`, BCRYPT.replace('$06$', '$03$'), '$2x$06$Wyd98bi9J3Wt2Y5mBDDcIeonTmf9NUhg2d0L294hUz/8pXJ.IEmRu', { algorithm: 'bcrypt' }, { algorithm: 'bcrypt', hash: 'x', cost: 4 },
    '$argon2i$v=18$m=8192,t=2,p=2$c2l4dGVlbiBieXRlIHNsdA$WzSU1yAqXXeqlE6nX66tf8/fADC1RgI1gZ3qZhzPVq0', '$argon2i$v=19$m=8192,t=2,p=2$$', { algorithm: 'argon2id', hash: '$argon2i$v=19$m=8192,t=2,p=2$c2l4dGVlbiBieXRlIHNsdA$WzSU1yAqXXeqlE6nX66tf8/fADC1RgI1gZ3qZhzPVq0' }, { algorithm: 'argon2i' },
    { ...SCRYPT, n: 1000 }, { ...SCRYPT, n: '4096' }, { ...SCRYPT, hash: '' }, { ...SCRYPT, hash: 'abcd' }, { ...SCRYPT, hash: SCRYPT.hash.slice(1) }, { ...SCRYPT, extra: 1 }, '$scrypt$ln=12,r=8,p=2$DEEoRShlrBVirBVC6P0/xw$Oa2P', { ...SCRYPT, encoding: 'rot13' },
    { ...FIREBASE, signer_key: '' }, { ...FIREBASE, hash: FIREBASE.hash.slice(0, 40) }, { ...FIREBASE, rounds: -1 }, { ...FIREBASE, mem_cost: 1.5 }, { algorithm: 'firebase-scrypt' },
    { ...PBKDF2, digest: 'md5' }, { ...PBKDF2, digest: 'constructor' }, { ...PBKDF2, iterations: 0 }, { ...PBKDF2, hash: '00' }, { ...PBKDF2, salt: 5 }, 'pbkdf2_md5$1$x$y', '$pbkdf2-sha256$$x$y',
    { ...SHA256, order: 'password' }, { ...SHA256, order: '__proto__' }, { ...SHA256, salt: '' }, { ...SHA256, hash: SHA256.hash.slice(2) }, '{SSHA256}4RaM2GJW3ul2932I0h0fEaJmuY7vKE3Y9v7evyl2Xzs=', '{SSHA}AAAA',
  ]
  for (const given of broken) t.strictSame(storedForm(given), { refused: 'invalid_hash' }, JSON.stringify(given))
  for (const given of ['', 'plain text', '$1$salt$hash', '$6$rounds=5000$salt$hash', '5f4dcc3b5aa765d61d8327deb882cf99', { algorithm: 'md5', hash: 'x' }, {}, { algorithm: '__proto__' }, { algorithm: ['bcrypt'] }] as GivenHash[]) {
    t.strictSame(storedForm(given), { refused: 'unknown_hash' }, JSON.stringify(given))
  }
})
