// Package session makes and opens temporary credentials: those of AssumeRole and GetSessionToken, the vended ones of
// GetDataAccess, and the identity contexts that carry a signed-in person into AssumeRole. It is the service sts.
//
// Nothing is stored for a session. Its token is sealed with AES-256-GCM under a key of the ring, bound to the access key
// id, and any node with the ring opens it:
//
//	base64url( version 1 | key id, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes )
//
// The secret access key is derived from the same key and the sealed token, so it needs no storing either. A token names
// its role, person, application and grant by id; what they may do is looked up on each request, never read from the token.
//
// The ring rotates: the newest key seals, older ones open until every token that they sealed has expired.
//
// An access key id is ASIA and sixteen base-32 digits: forty bits of the account, forty random ones. As on AWS it tells
// the account, which is what GetAccessKeyInfo answers from.
package session
