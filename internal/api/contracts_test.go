package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/wire"
)

// contracts are the interfaces of all services, by the service's name.
func contracts() map[string]reflect.Type {
	return map[string]reflect.Type{
		"cloudtrail": reflect.TypeFor[cloudtrail.Service](), "iam": reflect.TypeFor[iam.Service](), "identitystore": reflect.TypeFor[identitystore.Service](),
		"lakegate": reflect.TypeFor[lakegate.Service](), "organizations": reflect.TypeFor[organizations.Service](), "s3control": reflect.TypeFor[s3control.Service](),
		"sso": reflect.TypeFor[sso.Service](), "sso-admin": reflect.TypeFor[ssoadmin.Service](), "sso-oidc": reflect.TypeFor[ssooidc.Service](), "sts": reflect.TypeFor[sts.Service](),
	}
}

func TestEveryPatternOfTheModelsIsRead(t *testing.T) {
	n := 0
	for _, s := range (implementations{}).mux().Services() {
		for name, shape := range s.Model.Shapes {
			if shape.Pattern == "" {
				continue
			}
			n++
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s.%s: %v", s.Model.Name, name, p)
					}
				}()
				shape.Matches("x")
			}()
		}
	}
	if n < 100 {
		t.Errorf("only %d patterns were found", n)
	}
}

// secretive are names of members that hold secrets, harmless those that look like it and do not.
var (
	secretive = regexp.MustCompile(`(?i)secret|token|password|assertion|(^|[a-z])code($|Verifier)|contextAssertion|identityContext|privateKey`)
	harmless  = regexp.MustCompile(`^(NextToken|nextToken|ClientToken|clientToken|TokenType|tokenType|subjectTokenType|requestedTokenType|issuedTokenType|tokenEndpoint|clientSecretExpiresAt|TokenId|RetiredTokenId|Tokens` +
		`|next_token|PasswordLastUsed|TokenExchange:.*|.*TrustedTokenIssuers?(Arn|Type|Configuration)?|AuthorizedTokenIssuers|SubjectFromWebIdentityToken|ErrorCode|RefreshToken:.*|AuthorizationCode:.*)$`)
)

// eachStruct walks over the types of a service's inputs and outputs.
func eachStruct(service reflect.Type, do func(reflect.Type)) {
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
		case reflect.Struct:
			if seen[t] || t == reflect.TypeFor[time.Time]() {
				return
			}
			seen[t] = true
			do(t)
			for i := range t.NumField() {
				visit(t.Field(i).Type)
			}
		}
	}
	for i := range service.NumMethod() {
		m := service.Method(i).Type
		visit(m.In(1))
		visit(m.Out(0))
	}
}

// TestMembersThatLookLikeSecretsAreMarked finds what a model forgot to mark, which a patch then has to.
func TestMembersThatLookLikeSecretsAreMarked(t *testing.T) {
	marked := 0
	for name, service := range contracts() {
		eachStruct(service, func(typ reflect.Type) {
			for i := range typ.NumField() {
				f := typ.Field(i)
				tag := strings.Split(f.Tag.Get("aws"), ",")
				if slices.Contains(tag, "sensitive") {
					marked++
					continue
				}
				if typ := f.Type; typ.Kind() == reflect.Bool || typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Bool {
					continue // whether there is one is none
				}
				looks := tag[0]
				if kind := f.Type.Kind(); kind == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
					looks += ":structure"
				}
				if secretive.MatchString(tag[0]) && !harmless.MatchString(looks) && !harmless.MatchString(tag[0]) {
					t.Errorf("%s: %s.%s looks like a secret and is not marked as one", name, typ.Name(), f.Name)
				}
			}
		})
	}
	if marked < 50 {
		t.Errorf("only %d members are marked", marked)
	}
}

const secret = "hunter2"

// fill sets everything in a value: members that are marked hold the secret, others a plain text.
func fill(v reflect.Value, depth int) {
	if depth > 6 {
		return
	}
	switch t := v.Type(); {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(0, 0)))
	case t == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{}`))
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		fill(v.Elem(), depth)
	case t.Kind() == reflect.String:
		v.SetString("plain")
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte("plain"))
	case t.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(t, 2, 2))
		fill(v.Index(0), depth+1)
		fill(v.Index(1), depth+1)
	case t.Kind() == reflect.Map:
		item := reflect.New(t.Elem()).Elem()
		fill(item, depth+1)
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(reflect.ValueOf("key"), item)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := v.Field(i)
			fill(f, depth+1)
			if slices.Contains(strings.Split(t.Field(i).Tag.Get("aws"), ","), "sensitive") {
				setSecret(f)
			}
		}
	}
}

func setSecret(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		setSecret(v.Elem())
	case reflect.String:
		v.SetString(secret)
	case reflect.Struct:
		for i := range v.NumField() {
			setSecret(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			setSecret(v.Index(i))
		}
	}
}

func TestTheTrailKeepsNoSecret(t *testing.T) {
	for name, service := range contracts() {
		for i := range service.NumMethod() {
			m := service.Method(i)
			for _, typ := range []reflect.Type{m.Type.In(1), m.Type.Out(0)} {
				v := reflect.New(typ.Elem())
				fill(v.Elem(), 0)
				text, err := json.Marshal(wire.Parameters(v.Interface()))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), secret) {
					t.Errorf("%s.%s: %s", name, typ.Elem().Name(), text)
				}
			}
		}
	}
	access := wire.Parameters(&s3control.GetDataAccessOutput{Credentials: &s3control.Credentials{AccessKeyId: new("ASIA"), SecretAccessKey: new(secret), SessionToken: new(secret)}})
	want := map[string]any{"credentials": map[string]any{
		"accessKeyId": "ASIA", "secretAccessKey": "HIDDEN_DUE_TO_SECURITY_REASONS", "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS",
	}}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("vended credentials (-want +got):\n%s", diff)
	}
}

// TestUnsignedOperations is the whole list of what anybody may call. Each of them has another proof of who calls.
func TestUnsignedOperations(t *testing.T) {
	var got []string
	for _, s := range (implementations{}).mux().Services() {
		for _, o := range s.Operations {
			if o.NoAuth {
				got = append(got, s.Model.Name+"."+o.Name)
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"sso-oidc.CreateToken", "sso-oidc.RegisterClient", "sso-oidc.StartDeviceAuthorization",
		"sso.GetRoleCredentials", "sso.ListAccountRoles", "sso.ListAccounts", "sso.Logout",
		"sts.AssumeRoleWithSAML", "sts.AssumeRoleWithWebIdentity",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadingAndWriting(t *testing.T) {
	for name, want := range map[string]bool{
		"sts.AssumeRole": true, "sts.GetCallerIdentity": true, "sso-oidc.CreateTokenWithIAM": false, "s3control.GetDataAccess": true, "s3control.CreateAccessGrant": false,
		"identitystore.IsMemberInGroups": true, "cloudtrail.LookupEvents": true, "cloudtrail.StartLogging": false, "iam.SimulatePrincipalPolicy": true, "iam.TagRole": false,
		"organizations.DescribeOrganization": true, "lakegate.Why": true, "lakegate.CreateScimToken": false, "sso-admin.PutApplicationGrant": false,
	} {
		found := false
		for _, s := range (implementations{}).mux().Services() {
			for _, o := range s.Operations {
				if s.Model.Name+"."+o.Name == name {
					found = true
					if o.ReadOnly != want {
						t.Errorf("%s: read-only is %t", name, o.ReadOnly)
					}
				}
			}
		}
		if !found {
			t.Errorf("there is no %s", name)
		}
	}
}

// bare makes the emptiest request that is for an operation.
func bare(m *wire.ServiceModel, o *wire.Operation) (*http.Request, string) {
	switch m.Protocol {
	case wire.JSON:
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("X-Amz-Target", m.TargetPrefix+"."+o.Name)
		return r, ""
	case wire.Query:
		return httptest.NewRequest("POST", "/", nil), "Action=" + o.Name + "&Version=" + m.Version
	}
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(o.URI, "label")
	return httptest.NewRequest(o.Method, path, nil), ""
}

// TestNothingAnswersWithoutAnImplementation asks every operation of every service: each is found, and each refuses in the
// way of its service, never with success and never as a failure of the server.
func TestNothingAnswersWithoutAnImplementation(t *testing.T) {
	mux := implementations{}.mux()
	absent := map[wire.Protocol]string{wire.JSON: "400 UnknownOperationException", wire.RestJSON: "404 UnknownOperationException", wire.Query: "400 InvalidAction", wire.RestXML: "501 NotImplemented"}
	invalid := map[string]string{
		"cloudtrail": "ValidationException", "iam": "ValidationError", "identitystore": "ValidationException", "lakegate": "ValidationException", "organizations": "InvalidInputException",
		"s3control": "InvalidRequest", "sso": "InvalidRequestException", "sso-admin": "ValidationException", "sso-oidc": "InvalidRequestException", "sts": "ValidationError",
	}
	for _, s := range mux.Services() {
		for _, o := range s.Operations {
			r, body := bare(s.Model, o)
			call, ok := mux.Name(r, []byte(body), s.Model.SigningNames[0])
			if !ok || call.Operation == nil || call.Operation.Name != o.Name || call.Service != s.Model {
				t.Errorf("%s.%s: named as %+v", s.Model.Name, o.Name, call)
				continue
			}
			in, err := call.Decode(r, []byte(body))
			if err == nil {
				_, err = call.Invoke(t.Context(), in)
			}
			w := httptest.NewRecorder()
			call.WriteError(w, "request-1", err)
			e := wire.AsError(call.Spell(err))
			got := fmt.Sprintf("%d %s", e.Status, e.Code)
			if want := "400 " + invalid[s.Model.Name]; got != absent[s.Model.Protocol] && got != want {
				t.Errorf("%s.%s: %s, want %s or %s", s.Model.Name, o.Name, got, absent[s.Model.Protocol], want)
			}
			if !strings.Contains(w.Body.String(), e.Code) || w.Code != e.Status {
				t.Errorf("%s.%s: answered %d %s", s.Model.Name, o.Name, w.Code, w.Body)
			}
		}
	}
}
