// Verifies access tokens of stateless-auth, and follows its feed of what has ended. Copy this file; it needs golang-jwt and keyfunc.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// ErrUnavailable says nothing of the token: answer 503. Every other error does: answer 401, and do not say which it was.
var ErrUnavailable = errors.New("keys or endings are too old")
var errRefused = errors.New("no access token, or it has ended")
var compact = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`) // encoding/base64 skips line breaks
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

type Verifier struct {
	issuer       string
	maxStaleness float64
	parser       *jwt.Parser
	fetching     sync.Mutex
	keys         atomic.Pointer[keys] // keys and feed are replaced as one, so read without a lock
	feed         atomic.Pointer[feed]
}
type keys struct {
	byKid              map[string]keyfunc.Keyfunc
	fetchedAt, askedAt time.Time
}
type feed struct {
	cursor  string
	asOf    float64
	heardAt time.Time
	ended   map[string]ending
}
type ending struct {
	kind, id         string
	expiresAt, below float64
}

func NewVerifier(issuer, audience string, maxStaleness float64) *Verifier {
	// By default golang-jwt takes any algorithm that fits the key, tokens without exp, and sixteen spellings of one signature.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256", "RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(time.Minute), jwt.WithStrictDecoding())
	v := &Verifier{issuer: issuer, maxStaleness: maxStaleness, parser: parser}
	v.keys.Store(&keys{})
	v.feed.Store(&feed{})
	go v.follow()
	return v
}

func (v *Verifier) Verify(token string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{} // a map: into a struct encoding/json would read a custom claim "Roles" as roles
	if len(token) > 8192 || !compact.MatchString(token) {
		return nil, errRefused
	}
	parsed, err := v.parser.ParseWithClaims(token, claims, v.findKey)
	if err != nil || !isAccess(claims) {
		return nil, errors.Join(errRefused, err)
	}
	now := v.feed.Load() // too old by the database's time, or by a clock that nobody sets: what ended since?
	if !(max(unix(time.Now())-now.asOf, time.Since(now.heardAt).Seconds()) <= v.maxStaleness) {
		return nil, ErrUnavailable
	}
	ended := func(kind string, value any, than float64) bool {
		digest := sha256.Sum256(fmt.Appendf(nil, "%s:%v", kind, value))
		entry, is := now.ended[kind+base64.RawURLEncoding.EncodeToString(digest[:12])]
		return is && entry.below > than
	}
	if ended("s", claims["sid"], -1) || ended("j", claims["jti"], -1) || ended("k", parsed.Header["kid"], -1) ||
		ended("u", claims["sub"], claims["ver"].(float64)) || ended("a", "", claims["iat"].(float64)) {
		return nil, errRefused
	}
	return claims, nil
}

// The header is looked at here: golang-jwt does not look at typ (RFC 8725 3.11) nor at crit, and keyfunc tries every key where no kid is.
func (v *Verifier) findKey(token *jwt.Token) (any, error) {
	has := func(name string) bool { _, is := token.Header[name]; return is }
	kid, _ := token.Header["kid"].(string)
	if token.Header["typ"] != "at+jwt" || has("crit") || has("b64") || has("zip") || !isText(token.Raw) {
		return nil, errRefused
	}
	if v.keys.Load().byKid[kid] == nil {
		v.loadKeys(2 * time.Second)
	}
	known := v.keys.Load()
	if known.byKid[kid] != nil && time.Since(known.fetchedAt) < 24*time.Hour {
		return known.byKid[kid].Keyfunc(token) // and its alg must be the token's (RFC 8725 3.1)
	} else if known.fetchedAt != known.askedAt {
		return nil, ErrUnavailable
	}
	return nil, errRefused
}

// When keyfunc fetches by itself, one token with an invented kid uses up the allowance of five minutes; in one set a new kty spoils all.
func (v *Verifier) loadKeys(spacing time.Duration) {
	v.fetching.Lock() // for whoever waits here too
	defer v.fetching.Unlock()
	known := *v.keys.Load()
	if time.Since(known.askedAt) < spacing {
		return
	}
	var set struct{ Keys []json.RawMessage }
	err := v.get("/.well-known/jwks.json", 5*time.Second, &set)
	known.askedAt = time.Now()
	if err == nil { // else the old ones serve for a day, as long as the feed remembers a revoked key
		known.byKid, known.fetchedAt = map[string]keyfunc.Keyfunc{}, known.askedAt
	}
	for _, raw := range set.Keys {
		var jwk struct{ Kid string }
		if key, err := keyfunc.NewJWKJSON(raw); err == nil && json.Unmarshal(raw, &jwk) == nil {
			known.byKid[jwk.Kid] = key
		}
	}
	v.keys.Store(&known)
}

func (v *Verifier) follow() {
	for failures := 0; ; time.Sleep(time.Duration(min(5, 0.5*math.Pow(2, float64(failures))) * (0.8 + 0.4*rand.Float64()) * 1e9)) {
		v.loadKeys(5 * time.Minute)
		next := *v.feed.Load()
		path, wait := "/v1/revocations", max(1, int(v.maxStaleness/3)) // one answer may be lost
		if failures > 0 {
			wait = 0 // how things stand is not to be held back
		}
		if next.cursor != "" {
			path += fmt.Sprintf("?since=%s&wait=%d", next.cursor, wait)
		}
		var answer struct {
			V      int
			Cursor string
			AsOf   float64 `json:"as_of"`
			Full   bool
			E      []ending
		}
		if err := v.get(path, time.Duration(wait+5)*time.Second, &answer); err != nil || answer.V != 1 {
			failures++
			if err == errBadRequest { // not a cursor that it understands: from the start
				next.cursor = ""
				v.feed.Store(&next)
			}
			continue
		}
		ended := map[string]ending{}
		for id, entry := range next.ended { // a node that lags takes nothing away; what is over goes when both clocks say so
			if (!answer.Full || answer.AsOf < next.asOf) && entry.expiresAt >= min(next.asOf, unix(time.Now())) {
				ended[id] = entry
			}
		}
		for _, entry := range answer.E {
			old := ended[entry.kind+entry.id]
			ended[entry.kind+entry.id] = ending{entry.kind, entry.id, max(entry.expiresAt, old.expiresAt), max(entry.below, old.below)}
		}
		if answer.AsOf > next.asOf {
			next.asOf, next.heardAt = answer.AsOf, time.Now()
		}
		v.feed.Store(&feed{answer.Cursor, next.asOf, next.heardAt, ended})
		failures = 0
	}
}

var errBadRequest = errors.New("400")

func (v *Verifier) get(path string, timeout time.Duration, into any) error {
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // where a redirect leads is not the issuer
	answer, err := (&http.Client{Timeout: timeout, CheckRedirect: refuse}).Get(v.issuer + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == 400 {
		return errBadRequest
	} else if answer.StatusCode != 200 {
		return errors.New(answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// A user's token has sid and roles; a service's own has nothing of a sign-in.
func isAccess(claims jwt.MapClaims) bool {
	has := func(name string) bool { _, is := claims[name]; return is }
	text := func(name string) bool { value, _ := claims[name].(string); return value != "" }
	id := func(name string) bool { value, _ := claims[name].(string); return uuid.MatchString(value) }
	instant := func(name string) bool { at, is := claims[name].(float64); return is && at >= 0 && at < 1e11 }
	ver, is := claims["ver"].(float64)
	good := is && ver == math.Trunc(ver) && id("sub") && text("jti") && text("client_id") && text("scope") &&
		instant("exp") && instant("iat") && (!has("nbf") || instant("nbf"))
	if !has("sid") {
		return good && claims["sub"] == claims["client_id"] && ver == 0 && !slices.ContainsFunc([]string{"auth_time", "amr", "acr", "roles"}, has)
	}
	roles, is := claims["roles"].([]any)
	return good && id("sid") && is && !slices.ContainsFunc(roles, func(role any) bool { _, is := role.(string); return !is })
}

// Where encoding/json puts U+FFFD for bytes that are no UTF-8 two readers would see two texts.
func isText(token string) bool {
	return !slices.ContainsFunc(strings.Split(token, ".")[:2], func(part string) bool {
		bytes, err := base64.RawURLEncoding.DecodeString(part)
		return err != nil || !utf8.Valid(bytes)
	})
}

func unix(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

func (e *ending) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[]any{&e.kind, &e.id, &e.expiresAt, &e.below})
}
