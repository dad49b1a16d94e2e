package dataapp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Config says who the application is and where its data lies. FromEnvironment fills it, but for AWS, which comes from the
// SDK's own default chain.
type Config struct {
	// Listen is DATAAPP_LISTEN, the address to serve on; default 127.0.0.1:9423.
	Listen string
	// URL is DATAAPP_URL, the origin that browsers see, without a path; default http:// and Listen. The redirect URI to
	// register at the identity provider is URL + /callback.
	URL *url.URL
	// Issuer is OIDC_ISSUER, the identity provider. Its discovery document must name exactly this issuer.
	Issuer string
	// ClientID is OIDC_CLIENT_ID, which is also the audience of the ID tokens.
	ClientID string
	// ClientSecret is OIDC_CLIENT_SECRET. It is empty for a public client; PKCE is used in either case.
	ClientSecret string
	// ApplicationARN is APPLICATION_ARN, the identity center application that exchanges the ID tokens.
	ApplicationARN string
	// IdentityRoleARN is IDENTITY_ROLE_ARN, the role that is assumed with the identity context.
	IdentityRoleARN string
	// AccessGrantsAccount is ACCESS_GRANTS_ACCOUNT, the account that owns the access grants instance.
	AccessGrantsAccount string
	// Data is DATA_LOCATION, where the sales are: s3://bucket/prefix/.
	Data Location
	// Others is OTHER_LOCATIONS, separated by commas or spaces: suggestions on the page to try any prefix.
	Others []Location
	// PathStyle asks for http://host/bucket/key. FromEnvironment sets it where the environment names an endpoint for S3,
	// since a bucket's name before the host name of one's own endpoint seldom resolves.
	PathStyle bool

	// AWS is the SDK's configuration, with the application's own credentials.
	AWS aws.Config
	// HTTP is the client for the identity provider; nil takes one with a time limit.
	HTTP *http.Client
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
	// Log is where requests and refusals are written; nil discards them. No token and no secret is ever written.
	Log *slog.Logger
}

const defaultListen = "127.0.0.1:9423"

// FromEnvironment reads the configuration with getenv (os.Getenv, say). Its error names every variable that is missing or
// wrong, not just the first.
func FromEnvironment(getenv func(string) string) (Config, error) {
	cfg := Config{
		Listen:              getenv("DATAAPP_LISTEN"),
		Issuer:              getenv("OIDC_ISSUER"),
		ClientID:            getenv("OIDC_CLIENT_ID"),
		ClientSecret:        getenv("OIDC_CLIENT_SECRET"),
		ApplicationARN:      getenv("APPLICATION_ARN"),
		IdentityRoleARN:     getenv("IDENTITY_ROLE_ARN"),
		AccessGrantsAccount: getenv("ACCESS_GRANTS_ACCOUNT"),
		PathStyle:           getenv("AWS_ENDPOINT_URL") != "" || getenv("AWS_ENDPOINT_URL_S3") != "",
	}
	if cfg.Listen == "" {
		cfg.Listen = defaultListen
	}
	var errs []error
	address := getenv("DATAAPP_URL")
	if address == "" {
		address = "http://" + cfg.Listen
	}
	// What does not parse stays empty here, and validate says what should stand there.
	cfg.URL, _ = url.Parse(address)
	cfg.Data, _ = ParseLocation(getenv("DATA_LOCATION"))
	for text := range strings.FieldsFuncSeq(getenv("OTHER_LOCATIONS"), func(r rune) bool { return r == ',' || r == ' ' }) {
		other, err := ParseLocation(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("read OTHER_LOCATIONS: %w", err))
			continue
		}
		cfg.Others = append(cfg.Others, other)
	}
	errs = append(errs, cfg.validate())
	return cfg, errors.Join(errs...)
}

var (
	applicationARN = regexp.MustCompile(`^arn:[^:]+:sso::\d{12}:application/.+/apl-.+$`)
	roleARN        = regexp.MustCompile(`^arn:[^:]+:iam::\d{12}:role/.+$`)
	accountID      = regexp.MustCompile(`^\d{12}$`)
)

func (c Config) validate() error {
	var errs []error
	check := func(ok bool, remedy string) {
		if !ok {
			errs = append(errs, errors.New(remedy))
		}
	}
	check(c.URL != nil && isOrigin(c.URL), "DATAAPP_URL must be an http or https origin without a path and with a port that browsers can reach, such as http://127.0.0.1:9423")
	issuer, err := url.Parse(c.Issuer)
	check(err == nil && isWeb(issuer), "OIDC_ISSUER must be the http or https URL of the identity provider")
	check(c.ClientID != "", "OIDC_CLIENT_ID must be the application's client id at the identity provider")
	check(applicationARN.MatchString(c.ApplicationARN),
		"APPLICATION_ARN must be an identity center application: arn:aws:sso::<account>:application/<instance>/<application>")
	check(roleARN.MatchString(c.IdentityRoleARN), "IDENTITY_ROLE_ARN must be a role: arn:aws:iam::<account>:role/<name>")
	check(accountID.MatchString(c.AccessGrantsAccount), "ACCESS_GRANTS_ACCOUNT must be an account id of 12 digits")
	check(c.Data.Bucket != "", "DATA_LOCATION must be where the sales lie, such as s3://bucket/prefix/")
	return errors.Join(errs...)
}

func isWeb(u *url.URL) bool { return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" }

func isOrigin(u *url.URL) bool {
	return isWeb(u) && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && u.User == nil && u.Port() != "0"
}

func (c Config) origin() string { return c.URL.Scheme + "://" + c.URL.Host }

func (c Config) secure() bool { return c.URL.Scheme == "https" }
