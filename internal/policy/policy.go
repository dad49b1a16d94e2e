// Package policy is the IAM policy language: it parses a policy, validates it, evaluates a request against every
// policy that applies, and explains the outcome. It is pure: no I/O, no clock, no state.
//
// A policy is a JSON document of statements:
//
//	{"Version": "2012-10-17",
//	 "Statement": [{
//	   "Sid": "OwnFolder", "Effect": "Allow",
//	   "Action": "s3:GetObject",
//	   "Resource": "arn:aws:s3:::home/${aws:username}/*",
//	   "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}}]}
//
// A statement applies to a request when its principal (in policies that hang on a resource), its action, its resource
// and all of its conditions match. A request is refused unless an Allow statement applies, and refused whatever is
// allowed when a Deny statement applies; which kinds of policy must allow is the order of evaluation in evaluate.go.
//
// # Promises
//
//   - Parse is strict. An element, condition operator, principal or type that it does not know is an error that names
//     the place ("Statement[1].Condition.StringEquals"), never something that is skipped. So are duplicate keys, null,
//     invalid UTF-8, empty lists and whatever exceeds the limits.
//   - A Document is immutable and compiled: wildcards, operators, addresses, dates and variables are resolved as far as
//     they can be without a request. It may be shared by any number of goroutines.
//   - Evaluation terminates in time bounded by the product of text and pattern lengths, without backtracking over
//     more than one star.
//   - What cannot be decided is decided for refusal. A policy without a Document refuses everything, a principal of an
//     unknown type is refused, and a variable that the request does not resolve works against access either way: an
//     Allow statement that holds one does not apply at all, while in a Deny statement the variable stands for anything
//     where it says what is denied (Resource, StringEquals, …) and for nothing where it says what is spared
//     (NotResource, StringNotEquals, …). Give the variable a default, ${aws:PrincipalTag/team, 'none'}, to say otherwise.
//
// # Letters
//
// Actions and condition keys ignore the case of ASCII letters and of no others, so that no look-alike of another
// script can stand for a letter of an action. Resources, principals and condition values keep their case. In a
// pattern * is any text, also across slashes, and ? is one character; the colon fields of an ARN are matched one by
// one, so that a star in the account field never reaches into the resource.
package policy

import (
	"errors"
	"fmt"
	"slices"
)

// Kind says where a policy hangs, which decides the elements that it must and must not have.
type Kind int

// The kinds of policy.
const (
	// Identity policies belong to a user, group or role, or are a boundary: no Principal, Resource required.
	Identity Kind = iota + 1
	// Resource policies belong to a bucket or an access grants instance: Principal and Resource required.
	Resource
	// Trust policies say who may assume a role: Principal required, no Resource, actions of sts alone.
	Trust
	// Session policies are handed over with AssumeRole; they have the form of Identity.
	Session
	// Actor policies say who may use an application: Principal and Resource required, Version 2012-10-17.
	Actor
)

var kindNames = [...]string{Identity: "identity", Resource: "resource", Trust: "trust", Session: "session", Actor: "actor"}

func (k Kind) String() string {
	if k < Identity || k > Actor {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

func (k Kind) hasPrincipal() bool { return k == Resource || k == Trust || k == Actor }

// ErrTooLarge is in the chain of an error about a policy that exceeds its limits, which AWS's services answer with
// another code (LimitExceeded, PackedPolicyTooLarge, PolicyTooLarge) than a malformed policy.
var ErrTooLarge = errors.New("policy too large")

// Error is what Parse answers for a policy that it refuses.
type Error struct {
	// Place is the path of the element, such as "Statement[1].Condition.StringEquals"; empty for the document itself.
	Place string
	// Problem says what is wrong with it.
	Problem string
	// Err is ErrTooLarge for a policy beyond its limits.
	Err error
}

func (e *Error) Error() string {
	if e.Place == "" {
		return e.Problem
	}
	return e.Place + ": " + e.Problem
}

func (e *Error) Unwrap() error { return e.Err }

// Limits bound a policy's size. The zero value takes the widest that any of the AWS models admits for the kind.
type Limits struct {
	// Bytes bounds the whole text; zero means 350,000 for Resource and 131,072 for the other kinds.
	Bytes int
	// Characters bounds the text without white space, which is how IAM counts its quotas (6,144 for a managed policy,
	// 2,048 for a session policy); zero means no bound of its own.
	Characters int
}

const (
	maxResourceBytes = 350_000
	maxBytes         = 131_072
)

// Parse reads and compiles a policy within the widest limits of its kind.
func Parse(text []byte, kind Kind) (*Document, error) { return Limits{}.Parse(text, kind) }

// Parse reads and compiles a policy. Its errors are *Error.
func (l Limits) Parse(text []byte, kind Kind) (*Document, error) {
	if kind < Identity || kind > Actor {
		return nil, &Error{Problem: fmt.Sprintf("there is no policy kind %d", int(kind))}
	}
	if l.Bytes == 0 {
		l.Bytes = maxBytes
		if kind == Resource {
			l.Bytes = maxResourceBytes
		}
	}
	if len(text) > l.Bytes {
		return nil, &Error{Problem: fmt.Sprintf("the policy has %d bytes, the limit is %d", len(text), l.Bytes), Err: ErrTooLarge}
	}
	root, err := readJSON(string(text))
	if err != nil {
		return nil, err
	}
	d := &Document{kind: kind, text: string(text), size: countCharacters(string(text))}
	if l.Characters > 0 && d.size > l.Characters {
		return nil, &Error{Problem: fmt.Sprintf("the policy has %d characters without white space, the limit is %d", d.size, l.Characters), Err: ErrTooLarge}
	}
	if err := d.decode(root); err != nil {
		return nil, err
	}
	if err := d.compile(); err != nil {
		return nil, err
	}
	return d, nil
}

// countCharacters counts as IAM does for its quotas: characters, white space left out.
func countCharacters(text string) int {
	n := 0
	for _, r := range text {
		if r != ' ' && r != '\n' && r != '\r' && r != '\t' {
			n++
		}
	}
	return n
}

// Document is a parsed, valid, compiled policy. It is immutable.
type Document struct {
	kind       Kind
	text       string
	size       int
	id         string
	variables  bool // Version 2012-10-17: ${…} has a meaning
	statements []Statement
	denies     []*rule
	allows     []*rule
}

// Kind is the kind that the policy was parsed as.
func (d *Document) Kind() Kind { return d.kind }

// ID is the Id element.
func (d *Document) ID() string { return d.id }

// Text is the policy as it was written.
func (d *Document) Text() string { return d.text }

// Size is the number of characters without white space.
func (d *Document) Size() int { return d.size }

// MarshalJSON returns the policy as it was written.
func (d *Document) MarshalJSON() ([]byte, error) { return []byte(d.text), nil }

// Statements is the policy as a value, for those who check what it names (do the principals exist, are the resources
// the bucket's own) or show it. The slices are the Document's own: do not change them.
func (d *Document) Statements() []Statement { return slices.Clone(d.statements) }

// Effect is what a statement does when it applies.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Statement is one statement as written. Exactly one of Actions and NotActions is set, at most one of the others of a
// pair.
type Statement struct {
	Sid                       string
	Effect                    Effect
	Principals, NotPrincipals []PolicyPrincipal
	Actions, NotActions       []string
	Resources, NotResources   []string
	Conditions                []Condition
}

// PolicyPrincipal is one name in a Principal element. The "*" that stands alone has Type "*".
type PolicyPrincipal struct{ Type, Value string }

// Condition is one operator and key of a Condition element, as written.
type Condition struct {
	Operator, Key string
	Values        []string
}
