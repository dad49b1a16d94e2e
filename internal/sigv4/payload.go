package sigv4

import (
	"encoding/hex"
)

// EmptyPayload is the SHA-256 of nothing, in hex.
const EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// UnsignedPayload stands for the hash of a content that is not signed.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// The values of x-amz-content-sha256 for content in aws-chunked encoding.
const (
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Payload is what a request says about its content: the value of x-amz-content-sha256, "" when it says nothing.
type Payload string

// Hashed reports whether the payload is the SHA-256 of the content.
func (p Payload) Hashed() bool { return len(p) == 64 }

// Streaming reports whether the content is in aws-chunked encoding.
func (p Payload) Streaming() bool {
	return p == StreamingSigned || p == StreamingSignedTrailer || p == StreamingUnsignedTrailer
}

// Trailing reports whether a trailer follows the content.
func (p Payload) Trailing() bool {
	return p == StreamingSignedTrailer || p == StreamingUnsignedTrailer
}

// parsePayload accepts the values that it knows; an unknown one could mean anything.
func parsePayload(v string) (Payload, error) {
	switch p := Payload(v); {
	case v == "" || v == UnsignedPayload || p.Streaming():
		return p, nil
	case len(v) == 64:
		if _, err := hex.DecodeString(v); err == nil {
			return p, nil
		}
	}
	return "", &Error{Kind: BadPayloadHash, Fields: map[string]string{"ArgumentName": "x-amz-content-sha256"}}
}
