// Package grantfile reads and writes access grants as CSV and as JSON lines, for import and export.
//
//	grantee_type,grantee,scope,permission,application_arn,prefix_type,tags
//	DIRECTORY_GROUP,Red Project Group,s3://lake/red/*,READ,,,lakegate:NotAfter=2026-12-31T17:00:00Z
//
//	{"grantee_type": "DIRECTORY_GROUP", "grantee": "Red Project Group", "scope": "s3://lake/red/*", "permission": "READ", "tags": {"team": "red"}}
//
// What it promises: a file is read a line at a time, whatever its size; what is wrong with a line is told with its number;
// and what is written is read back as it was, also where a text would be a formula in a spreadsheet.
package grantfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Record is a grant in a file.
type Record struct {
	// Line is where it begins, from 1.
	Line        int               `json:"-"`
	GranteeType string            `json:"grantee_type"`
	Grantee     string            `json:"grantee"`
	Scope       string            `json:"scope"`
	Permission  string            `json:"permission"`
	Application string            `json:"application_arn,omitempty"`
	PrefixType  string            `json:"prefix_type,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`

	// What an export tells besides, and an import passes over.
	AccessGrantID string `json:"access_grant_id,omitempty"`
	GranteeName   string `json:"grantee_name,omitempty"`
	CreatedAt     string `json:"created_at,omitempty"`
}

// MaxLine is the longest line, in bytes: more than 50 tags need.
const MaxLine = 64 << 10

// LineError is what is wrong with a line. The next one can be read.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the reason.
func (e *LineError) Unwrap() error { return e.Err }

// check refuses what no grant has; what the server knows better is left to it.
func (r *Record) check() error {
	switch r.GranteeType {
	case "DIRECTORY_USER", "DIRECTORY_GROUP", "IAM":
	default:
		return fmt.Errorf("grantee_type: want DIRECTORY_USER, DIRECTORY_GROUP or IAM, not %q", short(r.GranteeType))
	}
	switch r.Permission {
	case "READ", "WRITE", "READWRITE":
	default:
		return fmt.Errorf("permission: want READ, WRITE or READWRITE, not %q", short(r.Permission))
	}
	if r.PrefixType != "" && r.PrefixType != "Object" {
		return fmt.Errorf("prefix_type: want Object or nothing, not %q", short(r.PrefixType))
	}
	if r.Grantee == "" || r.Scope == "" {
		return errors.New("grantee and scope must not be empty")
	}
	for name, text := range map[string]string{"grantee": r.Grantee, "scope": r.Scope, "application_arn": r.Application} {
		if err := printable(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for k, v := range r.Tags {
		if err := errors.Join(printable(k), printable(v)); err != nil {
			return fmt.Errorf("tags: %w", err)
		}
	}
	return nil
}

func printable(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("it has control characters")
	}
	return nil
}

func short(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// Request is the line as ImportAccessGrants takes it.
func (r *Record) Request() map[string]any {
	out := map[string]any{"Line": r.Line, "GranteeType": r.GranteeType, "Grantee": r.Grantee, "Scope": r.Scope, "Permission": r.Permission}
	if r.Application != "" {
		out["ApplicationArn"] = r.Application
	}
	if r.PrefixType != "" {
		out["S3PrefixType"] = r.PrefixType
	}
	tags := make([]map[string]string, 0, len(r.Tags))
	for k, v := range r.Tags {
		tags = append(tags, map[string]string{"Key": k, "Value": v})
	}
	if len(tags) > 0 {
		out["Tags"] = tags
	}
	return out
}
