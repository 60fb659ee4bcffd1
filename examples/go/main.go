// One protected route: GET /private. ISSUER, AUDIENCE, PORT, MAX_STALENESS (seconds) come from the environment.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

var bearer = regexp.MustCompile(`^(?i:bearer) ([\x21-\x7e]+)$`)

func main() {
	staleness, err := strconv.ParseFloat(cmp.Or(os.Getenv("MAX_STALENESS"), "30"), 64)
	if err != nil {
		log.Fatal(err)
	}
	verifier := NewVerifier(os.Getenv("ISSUER"), os.Getenv("AUDIENCE"), staleness)
	http.HandleFunc("GET /private", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		given := r.Header.Values("Authorization")
		// Of two headers a gateway may have looked at the other one (RFC 6750 2).
		if len(given) != 1 || !bearer.MatchString(given[0]) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		claims, err := verifier.Verify(bearer.FindStringSubmatch(given[0])[1])
		switch {
		case errors.Is(err, ErrUnavailable):
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]any{"sub": claims["sub"]})
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8000"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
