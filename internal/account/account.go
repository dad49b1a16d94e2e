package account

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
)

// Organization is the organization that all accounts of an installation are in.
type Organization struct {
	// ID is such as o-a1b2c3d4e5, Root the id of its only root, such as r-ab12.
	ID, Root string
	// Management is the account that manages it.
	Management string
	Created    time.Time
}

// ARN of the organization.
func (o *Organization) ARN() string {
	return arn.New("organizations", "", o.Management, "organization/"+o.ID).String()
}

// RootARN is the ARN of the organization's root.
func (o *Organization) RootARN() string {
	return arn.New("organizations", "", o.Management, "root/"+o.ID+"/"+o.Root).String()
}

// AccountARN is the ARN of an account as the organization names it.
func (o *Organization) AccountARN(id string) string {
	return arn.New("organizations", "", o.Management, "account/"+o.ID+"/"+id).String()
}

// Status of an account.
type Status string

// An account is active until it is closed; a closed one is suspended for good.
const (
	Active    Status = "ACTIVE"
	Suspended Status = "SUSPENDED"
)

// Account is a member of the organization, or its management account.
type Account struct {
	ID, Name, Email string
	Status          Status
	// JoinedMethod is INVITED for the management account, CREATED for the others.
	JoinedMethod string
	Joined       time.Time
	Tags         []Tag
}

// Tag is a key and a value, hung on an account, user, role or policy.
type Tag struct{ Key, Value string }

// Tags whose keys begin with these are the system's: the first AWS's, the second ours, which only mean something on what
// is being created.
const (
	awsTags      = "aws:"
	reservedTags = "lakegate:"
)

// AccountIDTag on CreateAccount chooses the account's id.
const AccountIDTag = reservedTags + "AccountId"

func isReserved(key string) bool {
	key = strings.ToLower(key)
	return strings.HasPrefix(key, awsTags) || strings.HasPrefix(key, reservedTags)
}

// maxTags bounds the tags of one thing.
const maxTags = 50

// mergeTags returns the tags with others put over them, in order of their keys.
func mergeTags(tags, others []Tag) []Tag {
	out := slices.Clone(tags)
	for _, t := range others {
		out = append(removeTags(out, []string{t.Key}), t)
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// removeTags returns the tags without some keys. Keys ignore case, as IAM's do.
func removeTags(tags []Tag, keys []string) []Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func tagMap(tags []Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// Delegation says that a member account administers a service for the organization.
type Delegation struct {
	Account, Service string
	Enabled          time.Time
}

// Profile is the long-term key of an account's administrator, for the credentials file of the operator. Its fields are
// secret: it is never logged.
type Profile struct {
	Account, AccountName string
	// Management is set for the management account.
	Management                   bool
	AccessKeyID, SecretAccessKey string
}

// String hides the secret from whoever prints a profile.
func (p Profile) String() string { return "profile of account " + p.Account }

// GoString is String, for %#v.
func (p Profile) GoString() string { return p.String() }

// LogValue is String, for a log.
func (p Profile) LogValue() slog.Value { return slog.StringValue(p.String()) }
