import com.example.auth.ApiClient;
import com.example.auth.ApiException;
import com.example.auth.api.AccountApi;
import com.example.auth.api.SignInApi;
import com.example.auth.model.*;
import java.util.Optional;
import java.util.UUID;

public class SignIn {
    static final String URL = Optional.ofNullable(System.getenv("AUTH_URL")).orElse("http://localhost:3000");
    static final String PASSWORD = "a long enough pass phrase";

    public static void main(String[] args) throws Exception {
        var auth = new SignInApi(client());
        var email = "ada-" + UUID.randomUUID() + "@example.com";

        var weak = new RegisterRequest().email(email).password("password");
        System.out.println("weak password: " + problemOf(() -> auth.register(weak, null)).getCode());

        // Where addresses must be confirmed first, the user is null: the answer is the same for every address.
        var registered = auth.register(new RegisterRequest().email(email).password(PASSWORD).name("Ada"), null);
        System.out.println("signed up: " + registered.getUser().getName());

        var wrong = new LoginRequest().email(email).password("not this one, I think");
        System.out.println("wrong password: " + problemOf(() -> auth.login(wrong)).getCode());

        var tokens = auth.login(new LoginRequest().email(email).password(PASSWORD).refresh(RefreshDelivery.BODY));
        System.out.println("signed in: " + tokens.getUser().getName());

        var signedIn = client();
        signedIn.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + tokens.getAccessToken()));
        var me = new AccountApi(signedIn).getMe();
        System.out.println("me: " + me.getName() + " " + me.getEmail().equals(email));

        var next = auth.refresh(new RefreshRequest().refreshToken(tokens.getRefreshToken()));
        System.out.println("refreshed: " + !next.getRefreshToken().equals(tokens.getRefreshToken()));

        auth.logout(new LogoutRequest().refreshToken(next.getRefreshToken()));
        System.out.println("signed out");

        var ended = new RefreshRequest().refreshToken(next.getRefreshToken());
        System.out.println("refresh: " + problemOf(() -> auth.refresh(ended)).getCode());
    }

    static ApiClient client() {
        var client = new ApiClient();
        client.updateBaseUri(URL);
        return client;
    }

    interface Call { Object run() throws ApiException; }

    /** The generator throws an error as text: it is read as what the contract says that it is. */
    static Problem problemOf(Call call) throws Exception {
        try {
            throw new AssertionError(call.run());
        } catch (ApiException e) {
            return ApiClient.createDefaultObjectMapper().readValue(e.getResponseBody(), Problem.class);
        }
    }
}
