package sink

import (
	"bytes"
	"encoding/json"
)

// told is what of a record becomes attributes, so that a collector can choose by it. The whole record is the body.
type told struct {
	eventID, eventTime, eventSource, eventName, eventCategory, address, errorCode, requestID, recipient string
	// of additionalEventData, and of onBehalfOf in userIdentity
	decision, person, userID string
}

// tell reads a record's members by hand, which costs a tenth of reading the record. What is no record tells nothing, or
// what there is of it.
func tell(record []byte) (r told) {
	eachMember(record, func(name, value []byte) {
		switch string(name) {
		case "eventID":
			r.eventID = textOf(value)
		case "eventTime":
			r.eventTime = textOf(value)
		case "eventSource":
			r.eventSource = textOf(value)
		case "eventName":
			r.eventName = textOf(value)
		case "eventCategory":
			r.eventCategory = textOf(value)
		case "sourceIPAddress":
			r.address = textOf(value)
		case "errorCode":
			r.errorCode = textOf(value)
		case "requestID":
			r.requestID = textOf(value)
		case "recipientAccountId":
			r.recipient = textOf(value)
		case "additionalEventData":
			eachMember(value, func(name, value []byte) {
				switch string(name) {
				case "decision":
					r.decision = textOf(value)
				case "personUserName":
					r.person = textOf(value)
				}
			})
		case "userIdentity":
			eachMember(value, func(name, value []byte) {
				if string(name) == "onBehalfOf" {
					eachMember(value, func(name, value []byte) {
						if string(name) == "userId" {
							r.userID = textOf(value)
						}
					})
				}
			})
		}
	})
	return r
}

// eachMember visits the members of a JSON object, as records are written: without space between them, and with names that
// need no escape. It ends where the text is anything else.
func eachMember(object []byte, visit func(name, value []byte)) {
	if len(object) == 0 || object[0] != '{' {
		return
	}
	for rest := object[1:]; len(rest) > 0 && rest[0] == '"'; {
		n := endOfValue(rest)
		if n < 0 || n >= len(rest) || rest[n] != ':' {
			return
		}
		name := rest[1 : n-1]
		rest = rest[n+1:]
		if n = endOfValue(rest); n < 0 || n >= len(rest) {
			return
		}
		visit(name, rest[:n])
		if rest[n] != ',' {
			return
		}
		rest = rest[n+1:]
	}
}

// endOfValue is where the JSON value ends that a text begins with, or -1.
func endOfValue(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := endOfText(text[i+1:])
			if n < 0 {
				return -1
			}
			if i += n; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i // of a number or a word, at the end of what it is in
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// endOfText is how many bytes a JSON text has after its first quote, the last one included, or -1.
func endOfText(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// textOf reads a JSON text; what is none is empty.
func textOf(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}
