package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// webOrigins are the origins whose pages may call the AWS APIs from a browser. A page signs its calls with credentials
// that it was given, and no cookie speaks for anybody here: an origin in the list gets no right, only the answer's text.
// What pages may do with a bucket is the bucket's own CORS configuration.
type webOrigins []string

// headers that the SDKs send and read in a browser, besides the ones that every page may.
const (
	pageMethods = "GET, POST, PUT, DELETE, HEAD"
	pageReads   = "x-amzn-requestid, x-amz-request-id, x-amzn-errortype, x-amz-id-2, date"
)

// share lets a page read the answer, and answers for it when the browser only asks whether it may call. It reports whether
// the request is answered.
func (o webOrigins) share(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(o, origin) && !slices.Contains(o, "*") {
		if r.Method == http.MethodOptions {
			http.Error(w, "this server is not called from pages of that origin; see cors.origins", http.StatusForbidden)
		}
		return r.Method == http.MethodOptions
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", pageReads)
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", pageMethods)
	if asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ","); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkOrigins refuses what is no origin of a page.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			return fmt.Errorf("cors.origins %q: want scheme://host[:port], or *", o)
		}
	}
	return nil
}
