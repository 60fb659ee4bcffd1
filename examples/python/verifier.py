"""Verifies access tokens of stateless-auth, and follows its feed of what has ended. Copy this file; it needs PyJWT[crypto].
verify(token) returns the claims. It raises Unavailable (answer 503), or anything else for a token that is not good (answer 401)."""
import base64, hashlib, json, random, re, threading, time, urllib.request
import jwt

UUID, NONE = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), (0, -1)
PART = r"(?:[\w-]{4})*(?:[\w-]{2}[AEIMQUYcgkosw048]|[\w-][AQgw])?"  # base64url in its only spelling; "ey" begins an object in UTF-8

class Unavailable(Exception): """Nothing can be said of any token now."""

class Verifier:
    def __init__(self, issuer, audience, max_staleness=30):
        self.issuer, self.audience, self.max_staleness, self.lock = issuer, audience, max_staleness, threading.Lock()
        self.keys, self.keys_at, self.asked_at, self.failed = {}, -1e9, -1e9, True
        self.feed = "", 0, -1e9, {}  # cursor, as_of, when we heard that, what has ended: replaced as one, so read without a lock
        threading.Thread(target=self.follow, daemon=True).start()

    def verify(self, token):
        if len(token) > 8192 or not re.fullmatch(rf"(?=ey){PART}\.(?=ey){PART}\.{PART}", token, re.ASCII): raise ValueError("form")
        header = jwt.get_unverified_header(token)  # PyJWT does not look at typ (RFC 8725 3.11). Nobody follows jwk, jku or x5u
        if header["typ"] != "at+jwt" or header["alg"] not in ("ES256", "RS256") or header.keys() & {"crit", "b64", "zip"}: raise ValueError("header")
        if header["kid"] not in self.keys: self.load_keys(spacing=2)
        if time.monotonic() - self.keys_at > 86400 or (header["kid"] not in self.keys and self.failed): raise Unavailable
        key = self.keys[header["kid"]]  # it says the algorithm, not the token (RFC 8725 3.1)
        claims = jwt.decode(token, key, [key.algorithm_name], issuer=self.issuer, audience=self.audience, leeway=60)
        if not is_access(**claims): raise ValueError("claims")
        _, as_of, heard_at, ended = self.feed
        if not max(time.time() - as_of, time.monotonic() - heard_at) <= self.max_staleness: raise Unavailable  # either clock may lag
        value = lambda kind, of: ended.get(kind + base64.urlsafe_b64encode(hashlib.sha256(f"{kind}:{of}".encode()).digest()[:12]).decode(), NONE)[1]
        if any(value(*it) >= 0 for it in (("s", claims.get("sid")), ("j", claims["jti"]), ("k", header["kid"]))): raise ValueError("ended")
        if value("u", claims["sub"]) > claims["ver"] or value("a", "") > claims["iat"]: raise ValueError("ended")
        return claims

    def load_keys(self, spacing):  # PyJWKClient lets good tokens wait for this too, and asks for each unknown kid while it fails
        with self.lock:
            if time.monotonic() - self.asked_at < spacing: return
            try: keys, self.failed = jwt.PyJWKSet(self.get("/.well-known/jwks.json", 5)["keys"]), False
            except Exception: self.failed = True  # the old keys serve for a day, as long as the feed remembers a revoked one
            else: self.keys, self.keys_at = {key.key_id: key for key in keys}, time.monotonic()
            self.asked_at = time.monotonic()

    def get(self, path, timeout):
        with urllib.request.urlopen(self.issuer + path, timeout=timeout) as answer:
            return json.load(answer) if answer.url == self.issuer + path else None  # where a redirect leads is not the issuer

    def follow(self, failures=0):
        while True:
            self.load_keys(spacing=300)
            cursor, as_of, heard_at, ended = self.feed
            wait = 0 if failures else max(1, int(self.max_staleness / 3))  # one answer may be lost; after a failure none is held back
            try:
                feed = self.get(f"/v1/revocations?since={cursor}&wait={wait}" if cursor else "/v1/revocations", wait + 5)
                now = min(time.time(), as_of)  # only what is over by both clocks goes. And a node that lags takes nothing away:
                ended = {} if feed["full"] and feed["as_of"] >= as_of else {id: entry for id, entry in ended.items() if entry[0] >= now}
                for kind, id, expires_at, *val in feed["e"]:
                    ended[kind + id] = tuple(map(max, ended.get(kind + id, (0, 0)), (expires_at, *val, 0)))
                heard_at = time.monotonic() if feed["as_of"] > as_of else heard_at
                self.feed, failures = (feed["cursor"], max(feed["as_of"], as_of), heard_at, ended), 0
            except Exception as error:  # 400: not a cursor that it understands
                if getattr(error, "code", 0) == 400: self.feed = "", as_of, heard_at, ended
                failures += 1
            time.sleep(min(5, 0.5 * 2 ** failures) * random.uniform(0.8, 1.2))

def is_access(sub, jti, client_id, scope, ver, exp, iat, nbf=0, **more):  # for PyJWT exp may be "99", true, or absent
    if not all(type(at) in (int, float) and 0 <= at < 1e11 for at in (exp, iat, nbf)) or type(ver) is not int: return False
    if not all(type(text) is str and text for text in (sub, jti, client_id, scope)) or not UUID.fullmatch(sub): return False
    if "sid" not in more: return sub == client_id and ver == 0 and not more.keys() & {"auth_time", "amr", "acr", "roles"}  # of a service
    return UUID.fullmatch(more["sid"]) and type(more["roles"]) is list and all(type(role) is str for role in more["roles"])
