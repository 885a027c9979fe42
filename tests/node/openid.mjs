// An OpenID provider for the loopback: the certified package oidc-provider, with one client.
// node openid.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI JWK
// Whoever signs in by its own pages is who they say, with a verified e-mail address of that name.
import Provider from "oidc-provider";

const [port, id, secret, redirect, jwk] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirect],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    id_token_signed_response_alg: JSON.parse(jwk).alg,
  }],
  jwks: { keys: [JSON.parse(jwk)] },
  cookies: { keys: ["a key of a test"] },
  pkce: { required: () => true },
  // Its userinfo endpoint is not asked: what an id token does not say is not believed.
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, name: accountId, email: accountId, email_verified: true }),
  }),
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
