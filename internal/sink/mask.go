package sink

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// A receiver, or a proxy before it, may repeat in its answer what it was sent. The answer helps whoever set up the sink,
// and stands in the server's log, where no secret belongs.

const (
	maxSaid = 200
	hidden  = "[hidden]"
)

// token is what has the form of one, in whatever encoding: twenty characters or more without a space.
var token = regexp.MustCompile(`[A-Za-z0-9_\-.~+/=%:]{20,}`)

// partsOf are the texts of a header's value that are a secret: the whole, its words, and what Basic encodes.
func partsOf(value string) []string {
	parts := append([]string{value}, strings.Fields(value)...)
	for _, word := range parts[1:] {
		if text, err := base64.StdEncoding.DecodeString(word); err == nil {
			user, password, basic := strings.Cut(string(text), ":")
			if basic {
				parts = append(parts, string(text), user, password)
			}
		}
	}
	return parts
}

// schemes are words of a header that tell nothing.
var schemes = map[string]bool{"bearer": true, "basic": true, "splunk": true, "token": true, "apikey": true}

// masked is the beginning of an answer, without secrets and without what could be one.
func masked(answer []byte, secrets []string) string {
	// Nothing is cut before all is masked: the first half of a secret would not be known.
	text := strings.ToValidUTF8(string(answer), "\uFFFD")
	for _, s := range secrets {
		if len(s) > 2 && !schemes[strings.ToLower(s)] {
			text = strings.ReplaceAll(text, s, hidden)
		}
	}
	text = token.ReplaceAllString(text, hidden)
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}
