package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sso/types"

	"github.com/lakegate/lakegate/internal/arn"
)

// credentialsCommand is a credential_process of the AWS CLI and SDKs (AWS SDKs and Tools reference guide, "Process credential
// provider"): it prints credentials of a permission set, or of an access grant, for the person whom lakegate login signed in.
type credentialsCommand struct {
	SSOSession   string        `name:"sso-session" default:"lakegate" help:"The name of the sso-session that lakegate login, or the AWS CLI, signed in to (default lakegate)."`
	Account      string        `required:"" help:"The account."`
	Role         string        `required:"" help:"The permission set."`
	Endpoint     string        `help:"The URL of the API door; by default what the start URL says." placeholder:"URL"`
	Grant        string        `help:"Print credentials of the access grant that covers this target, such as s3://bucket/prefix/*, in place of those of the permission set." placeholder:"TARGET"`
	Permission   string        `default:"READ" enum:"READ,WRITE,READWRITE" help:"What to ask for with --grant: READ, WRITE or READWRITE (default READ)."`
	GrantAccount string        `help:"The account of the access grants instance; by default that of --account." placeholder:"ACCOUNT"`
	Minimal      bool          `help:"With --grant: credentials for the target alone, not for all that the grant covers."`
	Duration     time.Duration `help:"With --grant: how long the credentials last, 15m to 12h (default 1h)."`
	Fresh        bool          `help:"Ask for new credentials, where earlier ones are kept: after an assignment ended and was made again, they serve no more."`
	ProfileLines string        `help:"Print the lines of a profile of this name for ~/.aws/config, in place of credentials." placeholder:"NAME"`
	PlainHTTP    bool          `name:"plain-http" help:"Allow http to other machines than this one, where anybody on the way can read the tokens."`
}

// processCredentials is what a credential_process prints.
type processCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
	AccountID       string `json:"AccountId,omitempty"`
}

// String hides the secret from whoever prints credentials.
func (c *processCredentials) String() string { return "credentials of " + c.AccessKeyID }

// credentialsTime bounds a run: SDKs wait for it.
const credentialsTime = time.Minute

func (c *credentialsCommand) Run(ctx context.Context, s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTime)
	defer cancel()
	signIn, err := openSignIn(ctx, s, c)
	if err != nil {
		return err
	}
	if c.ProfileLines != "" {
		return c.printProfile(s, signIn)
	}
	creds, err := c.roleCredentials(ctx, s, signIn)
	if err == nil && c.Grant != "" {
		creds, err = c.grantCredentials(ctx, s, signIn, creds)
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(creds)
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}

func (c *credentialsCommand) check() error {
	if c.GrantAccount == "" {
		c.GrantAccount = c.Account
	}
	for _, id := range []string{c.Account, c.GrantAccount} {
		if !arn.IsAccountID(id) {
			return fmt.Errorf("account %q: want twelve digits", id)
		}
	}
	if c.Grant != "" && !strings.HasPrefix(c.Grant, "s3://") {
		return fmt.Errorf("target %q: want s3://bucket/prefix/*", c.Grant)
	}
	if c.Duration != 0 && (c.Duration < 15*time.Minute || c.Duration > 12*time.Hour) {
		return fmt.Errorf("duration %s: want 15m to 12h", c.Duration)
	}
	return nil
}

// roleCredentials are those of the permission set, from the cache while they last.
func (c *credentialsCommand) roleCredentials(ctx context.Context, s *streams, signIn *signIn) (*processCredentials, error) {
	return c.cached(s, []string{"role", c.SSOSession, c.Endpoint, c.Account, c.Role}, signIn, func() (*processCredentials, error) {
		api := sso.New(sso.Options{Region: signIn.token.Region, BaseEndpoint: &signIn.endpoint, HTTPClient: awsHTTP()})
		out, err := api.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccountId: &c.Account, RoleName: &c.Role, AccessToken: &signIn.token.AccessToken})
		if _, ended := errors.AsType[*types.UnauthorizedException](err); ended {
			return nil, signIn.ended()
		}
		if codeOf(err) == "ForbiddenException" {
			return nil, fmt.Errorf("the permission set %s is not assigned to you in the account %s", c.Role, c.Account)
		}
		if err != nil {
			return nil, explained("get role credentials", err)
		}
		r := out.RoleCredentials
		if r == nil {
			return nil, errors.New("get role credentials: the answer has none")
		}
		return &processCredentials{
			Version: 1, AccessKeyID: aws.ToString(r.AccessKeyId), SecretAccessKey: aws.ToString(r.SecretAccessKey), SessionToken: aws.ToString(r.SessionToken),
			Expiration: time.UnixMilli(r.Expiration).UTC(), AccountID: c.Account,
		}, nil
	})
}

// awsHTTP is the client of one run. The server never redirects; who is led elsewhere would hand the token over.
func awsHTTP() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// printProfile prints what the AWS CLI and SDKs need to run this very command.
func (c *credentialsCommand) printProfile(s *streams, signIn *signIn) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	words := []string{program, "credentials", "--sso-session", c.SSOSession, "--account", c.Account, "--role", c.Role, "--endpoint", signIn.endpoint}
	if c.Grant != "" {
		words = append(words, "--grant", c.Grant, "--permission", c.Permission)
		if c.GrantAccount != c.Account {
			words = append(words, "--grant-account", c.GrantAccount)
		}
		if c.Minimal {
			words = append(words, "--minimal")
		}
		if c.Duration != 0 {
			words = append(words, "--duration", c.Duration.String())
		}
	}
	if c.PlainHTTP {
		words = append(words, "--plain-http")
	}
	for i, w := range words {
		if strings.ContainsAny(w, "\r\n\"\\") || strings.ContainsAny(c.ProfileLines, "\r\n[]") {
			return fmt.Errorf("%q cannot stand in a profile", w)
		}
		// The SDKs split the line as a shell would.
		if strings.ContainsAny(w, " \t'#;") {
			words[i] = `"` + w + `"`
		}
	}
	_, err = fmt.Fprintf(s.out, "[profile %s]\ncredential_process = %s\nregion = %s\nendpoint_url = %s\n", c.ProfileLines, strings.Join(words, " "), signIn.token.Region, signIn.endpoint)
	return err
}
