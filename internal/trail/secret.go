package trail

import (
	"bytes"
	"slices"
	"strings"
)

// hidden stands where a secret was, as CloudTrail writes it.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secretNames are members that hold secrets under names that say so only to those who know the protocol.
var secretNames = []string{"authorization", "code", "codeverifier", "cookie", "devicecode", "identitycontext", "setcookie", "tokencode", "usercode"}

// secretParts make a name that of a secret wherever they stand in it.
var secretParts = []string{"assertion", "passwd", "password", "privatekey", "secret"}

// secretEnds make a name that of a secret at its end: sessionToken is one, tokenType is not.
var secretEnds = []string{"apikey", "customerkey", "signature", "token"}

// harmless are names that end like a secret's and hold none: places in a listing, keys of idempotency, and whom a token names.
var harmless = []string{"clientrequesttoken", "clienttoken", "continuationtoken", "nextcontinuationtoken", "nexttoken", "subjectfromwebidentitytoken"}

// isHarmless knows the names that most records have, so that they need not be looked into.
func isHarmless(name string) bool {
	switch name {
	case KeyPersonName, KeyPersonID, KeyIdentityStore, KeyCredentialID, KeyApplication, KeyGrantID, KeyGrantAccount,
		KeyMatchedScope, KeyDecision, KeyReason, KeyRevision, KeyVendedKey, KeyBytesIn, KeyBytesOut,
		KeyAuthentication, KeySignature, KeyObjects, KeyGrants, keyDuration, keySteps, KeyAuditContext,
		"Host", "bucketName", "key", "prefix", "delimiter", "list-type", "uploadId", "partNumber", "versionId":
		return true
	}
	return false
}

// isSecret reports whether the values of members of a name are never written, whoever puts them into a record. Case and
// punctuation do not count.
func isSecret(name string) bool {
	var buf [64]byte
	plain := buf[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			plain = append(plain, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			plain = append(plain, c)
		}
	}
	is := func(one string) bool { return string(plain) == one }
	holds := func(part string) bool { return bytes.Contains(plain, []byte(part)) }
	ends := func(end string) bool { return len(plain) >= len(end) && string(plain[len(plain)-len(end):]) == end }
	return slices.ContainsFunc(secretNames, is) || slices.ContainsFunc(secretParts, holds) ||
		slices.ContainsFunc(secretEnds, ends) && !slices.ContainsFunc(harmless, is)
}

// scrubbed is scrub for a whole record as it is written. In JSON, a token stands as it is, and whatever ended it in the text
// ends it there: so to look through the record once hides what looking through each of its texts would.
func scrubbed(record []byte) []byte {
	// Its last letter is the rarest of the three.
	for at := 0; ; at++ {
		next := bytes.IndexByte(record[at:], tokenHead[2])
		if next < 0 {
			return record
		}
		if at += next; bytes.HasSuffix(record[:at+1], []byte(tokenHead)) {
			return []byte(scrub(string(record)))
		}
	}
}

// tokenHead is how a JSON Web Token begins: `{"` in base64url.
const tokenHead = "eyJ"

// scrub hides what has the form of a JSON Web Token: a header in base64url, which begins as `{"` does, a point, and a
// payload. People paste tokens where names belong, and libraries quote them in errors.
func scrub(s string) string {
	const least = 8
	at := strings.Index(s, tokenHead)
	if at < 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		end := at + run(s[at:])
		if end-at < least || end == len(s) || s[end] != '.' || run(s[end+1:]) == 0 {
			b.WriteString(s[:end])
		} else {
			for end < len(s) && s[end] == '.' {
				end += 1 + run(s[end+1:])
			}
			b.WriteString(s[:at])
			b.WriteString(hidden)
		}
		s = s[end:]
		at = strings.Index(s, tokenHead)
	}
	b.WriteString(s)
	return b.String()
}

// run is how many characters of base64url a text begins with.
func run(s string) int {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return i
		}
	}
	return len(s)
}
