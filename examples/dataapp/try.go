package dataapp

import (
	"net/http"
	"slices"
)

// trial is the page on which a person tries any prefix.
type trial struct {
	Text, Permission string
	Permissions      []string
	Suggestions      []Location
	// Wrong says what is wrong with what was typed.
	Wrong string
	// Listing is what a successful READ found.
	Listing []object
	Listed  bool
	More    bool
}

var permissions = []string{"READ", "WRITE", "READWRITE"}

// maxShown bounds the listing on the page.
const maxShown = 100

func (a *App) newTrial() *trial {
	return &trial{
		Text: a.cfg.Data.String(), Permission: permissions[0], Permissions: permissions,
		Suggestions: append([]Location{a.cfg.Data}, a.cfg.Others...),
	}
}

func (a *App) tryForm(w http.ResponseWriter, r *http.Request, p *person) {
	a.show(w, r, http.StatusOK, "try", page{Title: "Try any prefix", Person: p, Trial: a.newTrial()})
}

// tryLocation asks for access in the person's name. A refusal is an answer here, not a fault of the page, yet it keeps the
// status of a refusal for those who read statuses. The credentials are used to list and for nothing else: asking for WRITE
// writes nothing.
func (a *App) tryLocation(w http.ResponseWriter, r *http.Request, p *person) {
	view := page{Title: "Try any prefix", Person: p, Trial: a.newTrial()}
	t := view.Trial
	if err := r.ParseForm(); err != nil {
		t.Wrong = "The form could not be read."
		a.show(w, r, http.StatusBadRequest, "try", view)
		return
	}
	if t.Permission = r.PostForm.Get("permission"); !slices.Contains(permissions, t.Permission) {
		t.Permission = permissions[0]
		t.Wrong = "Choose a permission from the list."
	}
	if t.Text = r.PostForm.Get("suggestion"); t.Text == "" {
		t.Text = r.PostForm.Get("location")
	}
	location, err := ParseLocation(t.Text)
	if err != nil {
		t.Wrong = capital(err.Error()) + "."
	}
	if t.Wrong != "" {
		t.Text = shorten(t.Text, maxTarget)
		a.show(w, r, http.StatusBadRequest, "try", view)
		return
	}
	view.Location = location
	granted, err := a.chain.with(r.Context(), p, location, t.Permission, func(got *access) (err error) {
		if t.Permission != "WRITE" {
			t.Listing, t.More, err = listObjects(r.Context(), got.objects, location, maxShown)
			t.Listed = err == nil
		}
		return err
	})
	view.Granted = a.granted(granted)
	if err != nil {
		a.showProblem(w, r, "try", view, present(err, p, location, t.Permission), err)
		return
	}
	a.show(w, r, http.StatusOK, "try", view)
}
