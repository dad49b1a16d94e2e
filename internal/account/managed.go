package account

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/policy"
)

// The policies that AWS manages, as far as they speak of the services here. A file is the policy of its name.
//
//go:embed awsmanaged/*.json
var awsManaged embed.FS

// awsAccount stands in for the account in the ARN of what AWS owns.
const awsAccount = "aws"

// AdministratorAccess is the ARN of the policy that allows everything.
const AdministratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

// identityGuard is the policy that bounds sessions which act for a person: AWS attaches it to each of them.
const identityGuard = "arn:aws:iam::aws:policy/AWSIAMIdentityCenterAllowListForIdentityContext"

// awsManagedSince is the creation date that the policies show. They have no history here.
var awsManagedSince = time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC)

func (r *Registry) loadAWSManaged() error {
	files, err := awsManaged.ReadDir("awsmanaged")
	if err != nil {
		return fmt.Errorf("list AWS managed policies: %w", err)
	}
	r.aws = make(map[string]*ManagedPolicy, len(files))
	for _, f := range files {
		text, err := awsManaged.ReadFile(path.Join("awsmanaged", f.Name()))
		if err != nil {
			return fmt.Errorf("read AWS managed policy: %w", err)
		}
		name := strings.TrimSuffix(f.Name(), ".json")
		doc, err := policy.Parse(text, policy.Identity)
		if err != nil {
			return fmt.Errorf("parse AWS managed policy %s: %w", name, err)
		}
		p := &ManagedPolicy{
			ARN: policyARN(awsAccount, "/", name), ID: awsPolicyID(name), Account: awsAccount, Path: "/", Name: name,
			Created: awsManagedSince, Updated: awsManagedSince, Default: 1, Last: 1,
			Versions: []PolicyVersion{{Number: 1, Text: string(text), Document: doc, Created: awsManagedSince}},
		}
		r.aws[p.ARN] = p
	}
	r.guard = r.aws[identityGuard]
	if r.guard == nil || r.aws[AdministratorAccess] == nil {
		return fmt.Errorf("read AWS managed policies: one that this package needs is missing")
	}
	return nil
}
