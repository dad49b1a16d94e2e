package dataapp

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed web
var web embed.FS

// pages are the templates and the files beside them, embedded.
type pages struct {
	byName map[string]*template.Template
	files  fs.FS
}

// page is what a template sees.
type page struct {
	Title     string
	Person    *person
	RequestID string
	SignedOut bool
	Location  Location
	Granted   *granted
	Figures   *figures
	Trial     *trial
	Problem   *Problem
}

// granted is an access as a page shows it.
type granted struct {
	access
	// To says in words which identity of the person the grant names.
	To string
	// Until is when the credentials end, in UTC, and Left how long that is.
	Until, UntilISO, Left string
}

func (a *App) granted(got *access) *granted {
	if got == nil {
		return nil
	}
	to := map[string]string{
		"DIRECTORY_USER": "you, a directory user", "DIRECTORY_GROUP": "a directory group of yours", "IAM": "the application's IAM role",
	}[got.GranteeType]
	if to == "" {
		to = got.GranteeType
	}
	until := got.Expires.UTC()
	return &granted{
		access: *got, To: to, Until: until.Format("15:04") + " UTC", UntilISO: until.Format(time.RFC3339),
		Left: minutes(until.Sub(a.now())),
	}
}

func minutes(d time.Duration) string {
	switch m := int(d / time.Minute); {
	case m < 1:
		return "less than a minute"
	case m == 1:
		return "1 minute"
	case m < 120:
		return fmt.Sprintf("%d minutes", m)
	default:
		return fmt.Sprintf("%d hours", m/60)
	}
}

func newPages() (*pages, error) {
	files, err := fs.Sub(web, "web")
	if err != nil {
		return nil, fmt.Errorf("open embedded pages: %w", err)
	}
	p := &pages{byName: map[string]*template.Template{}, files: files}
	for _, name := range []string{"welcome", "report", "try", "problem"} {
		t, err := template.New("layout.html").Funcs(template.FuncMap{"size": size}).ParseFS(files, "layout.html", "parts.html", name+".html")
		if err != nil {
			return nil, fmt.Errorf("read template %s: %w", name, err)
		}
		p.byName[name] = t
	}
	return p, nil
}

func size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
}

// assets serves the style sheet and the icon, and nothing else of what is embedded.
func (p *pages) assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		if name != "app.css" && name != "tomato.svg" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		http.ServeFileFS(w, r, p.files, name)
	})
}

// show renders into memory first, so that a fault in a template cannot leave half a page with a status of success.
func (a *App) show(w http.ResponseWriter, r *http.Request, status int, name string, view page) {
	view.RequestID = requestID(r.Context())
	var body bytes.Buffer
	if err := a.pages.byName[name].Execute(&body, view); err != nil {
		a.logProblem(r, unexpected(), fmt.Errorf("render page %s: %w", name, err))
		http.Error(w, "Something went wrong. Request "+view.RequestID+".", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A browser that went away is no concern of the page.
	_, _ = body.WriteTo(w)
}
