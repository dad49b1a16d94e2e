package token

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/issuer"
)

// Publisher serves what others verify identity tokens with, below the URL of the web door:
//
//	<base>/<instance id>/.well-known/openid-configuration
//	<base>/<instance id>/keys
//
// The base has no slash at its end. An instance is known by its id, such as ssoins-0123456789abcdef.
type Publisher struct {
	Base string
	Keys *Keyring
	// Exists finds the ARN of an instance by its id.
	Exists func(id string) (instance string, ok bool)
}

// Issuer is the iss of the tokens of an instance.
func Issuer(base, instanceID string) string { return base + "/" + instanceID }

// ServeHTTP implements http.Handler. The path is that below the base.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, document, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	instance, ok := p.Exists(id)
	if !ok {
		http.NotFound(w, r)
		return
	}
	var body any
	switch document {
	case strings.TrimPrefix(issuer.DiscoveryPath, "/"):
		body = p.discovery(id)
	case "keys":
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for _, k := range p.Keys.of(instance) {
			set.Keys = append(set.Keys, k.public())
		}
		body = set
	default:
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	// Shorter than a key is announced before it signs.
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text) // a client that went away needs no answer
}

// discovery describes the issuer as OpenID Connect Discovery §3 does. People sign in at their own provider, so there is no
// authorization endpoint to name.
func (p *Publisher) discovery(id string) map[string]any {
	issuer := Issuer(p.Base, id)
	return map[string]any{
		"issuer":                                issuer,
		"jwks_uri":                              issuer + "/keys",
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []jose.SignatureAlgorithm{p.Keys.algorithm},
		"scopes_supported":                      []string{scopeOpenID},
		"claims_supported":                      []string{"iss", "aud", "sub", "act", "auth_time", "iat", "exp"},
	}
}
