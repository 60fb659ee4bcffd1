package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"example.com/sign-in/auth"
)

const password = "a long enough pass phrase"

func main() {
	ctx := context.Background()
	client := must(auth.NewClientWithResponses(cmp.Or(os.Getenv("AUTH_URL"), "http://localhost:3000")))
	email := "ada-" + strings.ToLower(rand.Text()) + "@example.com"
	name := "Ada"
	inBody := auth.RefreshDeliveryBody

	weak := must(client.RegisterWithResponse(ctx, nil, auth.RegisterRequest{Email: email, Password: "password"}))
	fmt.Println("weak password:", the(weak.ApplicationproblemJSON400, weak.Body).Code)

	// Where addresses must be confirmed first, it is JSON202, the same for every address.
	registered := must(client.RegisterWithResponse(ctx, nil, auth.RegisterRequest{Email: email, Password: password, Name: &name}))
	fmt.Println("signed up:", *the(registered.JSON201, registered.Body).User.Name)

	wrong := must(client.LoginWithResponse(ctx, auth.LoginRequest{Email: email, Password: "not this one, I think"}))
	fmt.Println("wrong password:", the(wrong.ApplicationproblemJSON401, wrong.Body).Code)

	signedIn := must(client.LoginWithResponse(ctx, auth.LoginRequest{Email: email, Password: password, Refresh: &inBody}))
	tokens := the(signedIn.JSON200, signedIn.Body)
	fmt.Println("signed in:", *tokens.User.Name)

	bearer := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		return nil
	}
	me := must(client.GetMeWithResponse(ctx, bearer))
	fmt.Println("me:", *the(me.JSON200, me.Body).Name, me.JSON200.Email == email)

	refreshed := must(client.RefreshWithResponse(ctx, auth.RefreshRequest{RefreshToken: tokens.RefreshToken}))
	next := the(refreshed.JSON200, refreshed.Body)
	fmt.Println("refreshed:", *next.RefreshToken != *tokens.RefreshToken)

	signedOut := must(client.LogoutWithResponse(ctx, auth.LogoutRequest{RefreshToken: next.RefreshToken}))
	if signedOut.StatusCode() != http.StatusNoContent {
		log.Fatalf("%s", signedOut.Body)
	}
	fmt.Println("signed out")

	ended := must(client.RefreshWithResponse(ctx, auth.RefreshRequest{RefreshToken: next.RefreshToken}))
	fmt.Println("refresh:", the(ended.ApplicationproblemJSON401, ended.Body).Code)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// An answer of another status is in another field: then the program ends with what came.
func the[T any](answer *T, body []byte) *T {
	if answer == nil {
		log.Fatalf("%s", body)
	}
	return answer
}
