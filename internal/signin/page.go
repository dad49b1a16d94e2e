package signin

import (
	"crypto/subtle"
	"embed"
	"html/template"
	"net/http"

	"github.com/lakegate/lakegate/internal/directory"
)

//go:embed assets
var assets embed.FS

func parsePages() (*template.Template, error) { return template.ParseFS(assets, "assets/*.html") }

// frame is what every page has.
type frame struct {
	Title string
	// Base is the URL of the web door, which links and forms begin with.
	Base string
}

func (s *Service) frame(title string) frame { return frame{Title: title, Base: s.webURL} }

// notice says one thing.
type notice struct {
	frame
	Text string
	// Reference is the id of the request, by which an administrator finds out why.
	Reference string
}

// continued leads on after a sign-in.
type continued struct {
	frame
	Person string
	Next   string
}

// started is the start page of an instance.
type started struct {
	frame
	Person, StartURL, Region, Endpoint string
}

// codeForm asks for a user code.
type codeForm struct {
	frame
	Problem string
}

// question asks the person whether a client may have their sign-in. Code, Source and Since are of a device, Account and Site
// of an application: whose it is, and where the answer goes. Accounts says that the application reaches the person's accounts.
type question struct {
	frame
	Client, Person      string
	Account, Site       string
	Accounts            bool
	Code, Source, Since string
	Ticket              string
}

// arrived is a person who came back from the provider, and where they go on.
type arrived struct {
	directory.Person
	next string
}

func (a *arrived) shown() string { return shown(a.Person) }

// shown is how pages name a person.
func shown(p directory.Person) string {
	if p.DisplayName == "" || p.DisplayName == p.UserName {
		return p.UserName
	}
	return p.DisplayName + " (" + p.UserName + ")"
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, assets, "assets/style.css")
}
