"""One protected route: GET /private. ISSUER, AUDIENCE, PORT, MAX_STALENESS (seconds) come from the environment."""
import json, os, re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from verifier import Unavailable, Verifier

verifier = Verifier(os.environ["ISSUER"], os.environ["AUDIENCE"], float(os.environ.get("MAX_STALENESS", "30")))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/private":
            return self.answer(404)
        given = self.headers.get_all("authorization", [])
        # Of two headers a gateway may have looked at the other one (RFC 6750 2).
        bearer = re.fullmatch(r"(?i:bearer) ([\x21-\x7e]+)", given[0]) if len(given) == 1 else None
        if not bearer:
            return self.answer(401, {"WWW-Authenticate": "Bearer"})
        try:
            claims = verifier.verify(bearer[1])
        except Unavailable:
            return self.answer(503, {"Retry-After": "2"})
        except Exception:
            return self.answer(401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self.answer(200, {"Content-Type": "application/json"}, json.dumps({"sub": claims["sub"]}).encode())

    def answer(self, status, headers={}, body=b""):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing of a request is logged: its token is in there."""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
