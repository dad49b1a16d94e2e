package dataapp

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// maxFiles bounds the objects that make up one month.
const maxFiles = 50

// figures are the sales of one month, ready to show.
type figures struct {
	Month          month
	Months         []month
	Earlier, Later *month
	// Notice is said where the month asked for has no sales.
	Notice   string
	Pie      pie
	Rows     []figure
	Revenue  string
	Quantity string
	Files    int
	Empty    bool
	More     bool
}

// A figure is one line of the table.
type figure struct {
	Product, Quantity, Revenue, Share string
	// Colour is that of the product's slice; a product without one has -1.
	Colour int
}

// report shows the sales of a month. It is made anew for each request: what a person may no longer read, this program does
// not remember for them.
func (a *App) report(w http.ResponseWriter, r *http.Request, p *person) {
	var shown figures
	granted, err := a.chain.with(r.Context(), p, a.cfg.Data, "READ", func(got *access) (err error) {
		shown, err = a.figures(r.Context(), got, r.URL.Query().Get("month"))
		return err
	})
	view := page{Title: "Sales", Person: p, Location: a.cfg.Data, Granted: a.granted(granted)}
	if err != nil {
		a.showProblem(w, r, "report", view, present(err, p, a.cfg.Data, "READ"), err)
		return
	}
	view.Figures = &shown
	a.show(w, r, http.StatusOK, "report", view)
}

func (a *App) figures(ctx context.Context, got *access, asked string) (figures, error) {
	found, more, err := listObjects(ctx, got.objects, a.cfg.Data, maxListed)
	if err != nil {
		return figures{}, err
	}
	calendar := newCalendar(found)
	chosen, known, ok := calendar.choose(asked, a.now())
	if !ok {
		return figures{Empty: true, More: more}, nil
	}
	keys := calendar.keys[chosen]
	if len(keys) > maxFiles {
		return figures{}, &dataError{"there are too many files for " + chosen.String()}
	}
	var sums totals
	for _, key := range keys {
		if err := readObject(ctx, got.objects, a.cfg.Data.Bucket, key, func(r io.Reader) error { return sums.add(r) }); err != nil {
			return figures{}, err
		}
	}
	shown := tabulate(sums.products(), chosen)
	shown.Months, shown.Files, shown.More = calendar.months, len(keys), more
	shown.Earlier, shown.Later = calendar.around(chosen)
	if !known {
		shown.Notice = "There are no sales for the month that was asked for; this is " + chosen.String() + "."
	}
	return shown, nil
}

func tabulate(products []productTotal, m month) figures {
	f := figures{Month: m, Pie: drawPie("Sales of tomatoes and other red things, "+m.String(), products)}
	var revenue, positive, quantity int64
	for _, p := range products {
		revenue += p.Revenue
		positive += max(p.Revenue, 0)
		quantity += p.Quantity
	}
	f.Revenue, f.Quantity = money(revenue), count(quantity)
	for i, p := range products {
		row := figure{Product: p.Product, Quantity: count(p.Quantity), Revenue: money(p.Revenue), Share: "–", Colour: -1}
		if p.Revenue > 0 {
			row.Share = percent(float64(p.Revenue) / float64(positive))
			// The slices come in the order of the products; those beyond share the last.
			row.Colour = f.Pie.Slices[min(i, len(f.Pie.Slices)-1)].Colour
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// showProblem shows a page with a problem in the place of its content. A person who must sign in again is signed out, since
// nothing that this session holds will work again.
func (a *App) showProblem(w http.ResponseWriter, r *http.Request, name string, view page, told Problem, cause error) {
	if errors.Is(cause, errSignInAgain) {
		a.sessions.end(a.cookie(r, sessionCookie))
		a.clearCookie(w, sessionCookie)
		a.fail(w, r, told, cause)
		return
	}
	a.logProblem(r, told, cause)
	view.Problem = &told
	a.show(w, r, told.Status, name, view)
}
