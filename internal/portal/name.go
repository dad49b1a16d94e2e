package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The lengths of a RoleSessionName (STS API reference, AssumeRole).
const (
	shortestName = 2
	longestName  = 64
)

// sessionName makes the name of a session from a user name, as AWS does: the user name itself where STS would take it
// ([\w+=,.@-]{2,64}). Another one is made to fit and gets the beginning of a digest of the user's id behind it, as policies
// may name a session: two people are not to share one because of a character that was replaced.
func sessionName(userName, userID string) string {
	fit := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r) {
			return r
		}
		return '-'
	}, userName)
	if fit == userName && len(fit) >= shortestName && len(fit) <= longestName {
		return fit
	}
	sum := sha256.Sum256([]byte(userID))
	suffix := "-" + hex.EncodeToString(sum[:8])
	return fit[:min(len(fit), longestName-len(suffix))] + suffix
}
