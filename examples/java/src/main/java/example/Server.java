package example;

import com.nimbusds.jose.util.JSONObjectUtils;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One protected route: GET /private. ISSUER, AUDIENCE, PORT, MAX_STALENESS (seconds) come from the environment. */
public final class Server {
    private static final Pattern BEARER = Pattern.compile("(?i:bearer) ([\\x21-\\x7e]+)");

    public static void main(String[] args) throws IOException {
        var env = System.getenv();
        var verifier = new Verifier(env.get("ISSUER"), env.get("AUDIENCE"), Double.parseDouble(env.getOrDefault("MAX_STALENESS", "30")));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.getOrDefault("PORT", "8000"))), 0);
        server.createContext("/private", exchange -> answer(verifier, exchange));
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
    }

    private static void answer(Verifier verifier, HttpExchange exchange) throws IOException {
        List<String> given = exchange.getRequestHeaders().getOrDefault("Authorization", List.of());
        // Of two headers a gateway may have looked at the other one (RFC 6750 2).
        Matcher bearer = BEARER.matcher(given.size() == 1 ? given.get(0) : "");
        if (!bearer.matches()) {
            send(exchange, 401, "WWW-Authenticate", "Bearer", "");
            return;
        }
        try {
            var body = JSONObjectUtils.toJSONString(Map.of("sub", verifier.verify(bearer.group(1)).get("sub")));
            send(exchange, 200, "Content-Type", "application/json", body);
        } catch (Verifier.Unavailable away) {
            send(exchange, 503, "Retry-After", "2", "");
        } catch (Exception refused) {
            send(exchange, 401, "WWW-Authenticate", "Bearer error=\"invalid_token\"", "");
        }
    }

    private static void send(HttpExchange exchange, int status, String name, String value, String body) throws IOException {
        exchange.getResponseHeaders().set(name, value);
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.sendResponseHeaders(status, body.isEmpty() ? -1 : body.length());
        try (var out = exchange.getResponseBody()) {
            out.write(body.getBytes());
        }
    }
}
