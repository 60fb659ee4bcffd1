package example;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.factories.DefaultJWSVerifierFactory;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.util.*;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import java.io.IOException;
import java.net.URI;
import java.net.http.*;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.locks.LockSupport;

/** Verifies access tokens of stateless-auth, and follows its feed of what has ended. Copy this file; it needs nimbus-jose-jwt. */
public final class Verifier {
    /** Nothing can be said of any token now: answer 503. Whatever else verify throws is of a token that is not good: answer 401. */
    public static final class Unavailable extends Exception {}
    private record Keys(Map<String, JWK> byKid, long fetchedAt, long askedAt) {}
    private record Ending(double expiresAt, double below) {}
    private record Feed(String cursor, double asOf, long heardAt, Map<String, Ending> ended) {}

    private static final Set<String> OF_A_SIGN_IN = Set.of("auth_time", "amr", "acr", "roles");
    private static final long NEVER = System.nanoTime() - SECONDS.toNanos(1_000_000_000);
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();
    private final String issuer;
    private final double maxStaleness;
    private final DefaultJWTClaimsVerifier<?> rules;
    private volatile Keys keys = new Keys(Map.of(), NEVER, NEVER); // this and the next are replaced as one: nobody waits, or sees half of it
    private volatile Feed feed = new Feed("", 0, NEVER, Map.of());

    public Verifier(String issuer, String audience, double maxStaleness) {
        this.issuer = issuer;
        this.maxStaleness = maxStaleness;
        // Its leeway is 60 s. Without the last argument exp would be optional.
        rules = new DefaultJWTClaimsVerifier<>(audience, new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("exp"));
        Thread follower = new Thread(this::follow);
        follower.setDaemon(true);
        follower.start();
    }

    public Map<String, Object> verify(String token) throws Exception {
        String[] parts = token.split("\\.", -1);
        Base64URL signature = new Base64URL(parts[2]);
        require(token.length() <= 8192 && parts.length == 3 && Base64URL.encode(signature.decode()).equals(signature));
        Map<String, Object> header = parse(parts[0]), claims = parse(parts[1]);
        // For Nimbus "AT+JWT" is the same typ (RFC 8725 3.11). Where jwk, jku or x5u point to nobody looks.
        require("at+jwt".equals(header.get("typ")) && Collections.disjoint(header.keySet(), Set.of("crit", "b64", "zip")));
        String kid = (String) header.get("kid");
        JWK key = findKey(kid);
        require(key.getAlgorithm().getName().equals(header.get("alg"))); // what the key says, not the token (RFC 8725 3.1)
        JWSHeader parsed = JWSHeader.parse(new Base64URL(parts[0]));
        var verifier = new DefaultJWSVerifierFactory().createJWSVerifier(parsed, ((AsymmetricJWK) key).toPublicKey());
        require(verifier.verify(parsed, (parts[0] + "." + parts[1]).getBytes(UTF_8), signature));
        require(isAccess(claims));
        rules.verify(JWTClaimsSet.parse(claims), null);
        Feed now = feed; // too old by the database's time, or by a clock that nobody sets: what ended since?
        if (!(Math.max(unix() - now.asOf, age(now.heardAt)) <= maxStaleness)) throw new Unavailable();
        require(below(now, "s", claims.get("sid")) < 0 && below(now, "j", claims.get("jti")) < 0 && below(now, "k", kid) < 0);
        require(below(now, "u", claims.get("sub")) <= number(claims.get("ver")) && below(now, "a", "") <= number(claims.get("iat")));
        return claims;
    }

    private JWK findKey(String kid) throws Exception {
        if (!keys.byKid.containsKey(kid)) loadKeys(2);
        Keys known = keys;
        JWK key = known.byKid.get(kid);
        if (age(known.fetchedAt) > 86_400 || (key == null && known.fetchedAt != known.askedAt)) throw new Unavailable();
        return Objects.requireNonNull(key);
    }

    private synchronized void loadKeys(double spacing) { // for whoever waits here too: tokens with invented kids, never good ones
        if (age(keys.askedAt) < spacing) return;
        try {
            Map<String, JWK> byKid = new HashMap<>();
            for (JWK key : JWKSet.parse(get("/.well-known/jwks.json", 5)).getKeys())
                if (key.getAlgorithm() != null && Set.of("ES256", "RS256").contains(key.getAlgorithm().getName())) byKid.put(key.getKeyID(), key);
            long now = System.nanoTime();
            keys = new Keys(byKid, now, now);
        } catch (Exception away) { // the old ones serve for a day, as long as the feed remembers a revoked key
            keys = new Keys(keys.byKid, keys.fetchedAt, System.nanoTime());
        }
    }

    private void follow() {
        for (int failures = 0; ; ) {
            loadKeys(300);
            int wait = failures > 0 ? 0 : Math.max(1, (int) (maxStaleness / 3)); // one answer may be lost; after a failure none is held back
            try {
                String query = feed.cursor.isEmpty() ? "" : "?since=" + feed.cursor + "&wait=" + wait;
                feed = next(feed, JSONObjectUtils.parse(get("/v1/revocations" + query, wait + 5)));
                failures = 0;
            } catch (Exception away) { // 400: not a cursor that it understands
                if ("400".equals(away.getMessage())) feed = new Feed("", feed.asOf, feed.heardAt, feed.ended);
                failures++;
            }
            LockSupport.parkNanos((long) (Math.min(5, 0.5 * Math.pow(2, failures)) * (0.8 + 0.4 * Math.random()) * 1e9));
        }
    }

    @SuppressWarnings("unchecked")
    private static Feed next(Feed old, Map<String, Object> answer) {
        double asOf = number(answer.get("as_of"));
        require(number(answer.get("v")) == 1 && Double.isFinite(asOf));
        Map<String, Ending> ended = new HashMap<>();
        boolean anew = (boolean) answer.get("full") && asOf >= old.asOf; // a node that lags takes nothing away
        double over = Math.min(unix(), old.asOf); // by both clocks: one that runs ahead must revive nothing
        if (!anew) old.ended.forEach((id, entry) -> { if (entry.expiresAt >= over) ended.put(id, entry); });
        for (List<Object> entry : (List<List<Object>>) answer.get("e")) {
            Ending ending = new Ending(number(entry.get(2)), entry.size() > 3 ? number(entry.get(3)) : 0);
            ended.merge((String) entry.get(0) + (String) entry.get(1), ending,
                (one, other) -> new Ending(Math.max(one.expiresAt, other.expiresAt), Math.max(one.below, other.below)));
        }
        return new Feed((String) answer.get("cursor"), Math.max(asOf, old.asOf), asOf > old.asOf ? System.nanoTime() : old.heardAt, ended);
    }

    private String get(String path, int seconds) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(issuer + path)).timeout(Duration.ofSeconds(seconds)).build();
        var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) throw new IOException(String.valueOf(answer.statusCode()));
        return answer.body();
    }

    /** Nimbus takes padding, and Java puts U+FFFD for what is no UTF-8: only what spells the same again is one token. */
    private static Map<String, Object> parse(String part) throws java.text.ParseException {
        String json = new Base64URL(part).decodeToString();
        require(Base64URL.encode(json).toString().equals(part) && json.startsWith("{") && json.endsWith("}"));
        return JSONObjectUtils.parse(json);
    }

    /** A user's token has sid and roles; a service's own has nothing of a sign-in. */
    private static boolean isAccess(Map<String, Object> claims) {
        for (String name : List.of("jti", "client_id", "scope")) if (!(claims.get(name) instanceof String text) || text.isEmpty()) return false;
        for (String name : List.of("exp", "iat", claims.containsKey("nbf") ? "nbf" : "iat"))
            if (!(claims.get(name) instanceof Number at) || !(at.doubleValue() >= 0 && at.doubleValue() < 1e11)) return false;
        if (number(claims.get("iat")) > unix() + 60 || !isUuid(claims.get("sub")) || !(claims.get("ver") instanceof Long ver)) return false;
        if (!claims.containsKey("sid"))
            return claims.get("sub").equals(claims.get("client_id")) && ver == 0 && Collections.disjoint(claims.keySet(), OF_A_SIGN_IN);
        return isUuid(claims.get("sid")) && claims.get("roles") instanceof List<?> roles && roles.stream().allMatch(String.class::isInstance);
    }

    private static double below(Feed feed, String kind, Object value) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest((kind + ":" + value).getBytes(UTF_8));
        return feed.ended.getOrDefault(kind + Base64URL.encode(Arrays.copyOf(digest, 12)), new Ending(0, -1)).below;
    }

    private static boolean isUuid(Object value) { return value instanceof String text && text.matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"); }
    private static double number(Object value) { return ((Number) value).doubleValue(); }
    private static double unix() { return System.currentTimeMillis() / 1000.0; }
    private static double age(long at) { return (System.nanoTime() - at) / 1e9; }
    private static void require(boolean good) { if (!good) throw new IllegalArgumentException(); }
}
