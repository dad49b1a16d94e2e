// Package token is the token exchange: CreateTokenWithIAM of the service sso-oidc. An application that an IAM role signs
// for hands in the token with which a person signed in at a trusted issuer, and gets what carries that person into AWS:
//
//	assertion (a JWT of the issuer) ─▶ exchange ─▶ idToken, accessToken, identity context (▶ sts AssumeRole)
//
// # The exchange
//
// Each question is a step of the trail with what was found; the first that fails ends the exchange:
//
//  1. the application exists                                     InvalidClient
//  2. its actor policy and the caller's policies allow           AccessDenied
//  3. it is enabled and has the grant                            UnauthorizedClient
//  4. the assertion is a JWT of an accepted form                 InvalidGrant
//  5. its issuer is one of the grant's                           InvalidGrant
//  6. it is signed by a key that the issuer publishes            InvalidGrant
//  7. it is valid now, for one of the authorised audiences       InvalidGrant
//  8. its claim names exactly one person, who is enabled         InvalidGrant
//  9. the person is assigned, where that is required             AccessDenied
//  10. the scopes are configured                                 InvalidScope
//  11. nobody exchanged it before                                InvalidGrant
//
// The client is told AWS's code and no more: an unknown issuer, a forged signature and an unknown person read the same.
// What failed is in the trail, for those who may ask.
//
// # Promises
//
//   - An assertion is exchanged once, also when many try at the same time on any node. One that was refused is not used up.
//   - Keys come from the issuer's own discovery document alone. A header never chooses a key, or a kind of signature that
//     the key is not made for.
//   - A visit to an issuer is bounded in time and size and stays on the public internet, unless the operator says otherwise.
//   - Assertions and tokens are neither stored nor logged: what is kept of them are hashes.
//
// Identity tokens are signed by a key of the instance, which Publisher publishes and Keyring rotates.
package token
