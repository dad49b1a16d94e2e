package dataapp

import (
	"fmt"
	"math"
	"strings"
)

// A pie is the geometry of the chart, in the units of its view box: the centre is 0,0, slices start at twelve o'clock and
// go round clockwise, the largest first. The template draws it; the page's style sheet colours it.
type pie struct {
	Title, Description string
	Slices             []slice
}

// A slice is one product, or the rest of them.
type slice struct {
	Label string
	// Colour is the number of the slice's colour in the style sheet; the last is for the rest.
	Colour int
	// Share is of the whole, from 0 to 1.
	Share float64
	// Path is the outline; Whole says that the slice is the whole pie, which no arc can draw.
	Path  string
	Whole bool
	// LabelX and LabelY place the percentage, which a slice that is too thin does not carry.
	LabelX, LabelY string
	Labelled       bool
}

const (
	pieRadius   = 150.0
	labelRadius = 110.0
	// thinnest is the share from which a percentage fits into its slice.
	thinnest = 0.06
	// maxSlices is as many as one can still tell apart; the smallest products share the last.
	maxSlices  = 8
	restColour = maxSlices - 1
)

// Percent is the share as people read it.
func (s slice) Percent() string { return percent(s.Share) }

func percent(share float64) string {
	switch {
	case share > 0 && share < 0.001:
		return "<0.1%"
	case share > 0.999 && share < 1:
		return ">99.9%"
	}
	return fmt.Sprintf("%.1f%%", share*100)
}

// drawPie lays out the products, which come with the largest first. Products that brought nothing, or less than nothing,
// have no slice.
func drawPie(title string, products []productTotal) pie {
	var whole int64
	for _, p := range products {
		whole += max(p.Revenue, 0)
	}
	drawn := pie{Title: title}
	if whole == 0 {
		drawn.Description = "There is nothing to draw."
		return drawn
	}
	positive := products
	for i, p := range products {
		if p.Revenue <= 0 {
			positive = products[:i]
			break
		}
	}
	var from float64
	add := func(label string, colour int, revenue int64) {
		share := float64(revenue) / float64(whole)
		drawn.Slices = append(drawn.Slices, cut(label, colour, from, share))
		from += share
	}
	single := positive
	if len(positive) > maxSlices {
		single = positive[:maxSlices-1]
	}
	for i, p := range single {
		add(p.Product, i, p.Revenue)
	}
	if rest := positive[len(single):]; len(rest) > 0 {
		var sum int64
		for _, p := range rest {
			sum += p.Revenue
		}
		add(fmt.Sprintf("%d other products", len(rest)), restColour, sum)
	}
	var parts []string
	for _, s := range drawn.Slices {
		parts = append(parts, s.Label+" "+s.Percent())
	}
	drawn.Description = "Share of revenue by product: " + strings.Join(parts, ", ") + "."
	return drawn
}

func cut(label string, colour int, from, share float64) slice {
	s := slice{Label: label, Colour: colour, Share: share, Labelled: share >= thinnest}
	middle := point(from+share/2, labelRadius)
	if share >= 0.99995 {
		s.Whole = true
		middle = [2]float64{}
	}
	s.LabelX, s.LabelY = coordinate(middle[0]), coordinate(middle[1])
	start, end := point(from, pieRadius), point(from+share, pieRadius)
	large := 0
	if share > 0.5 {
		large = 1
	}
	s.Path = fmt.Sprintf("M0 0L%s %sA%g %g 0 %d 1 %s %sZ", coordinate(start[0]), coordinate(start[1]),
		pieRadius, pieRadius, large, coordinate(end[0]), coordinate(end[1]))
	return s
}

// point is where a turn, clockwise from twelve o'clock, meets a circle.
func point(turn, radius float64) [2]float64 {
	sin, cos := math.Sincos(2 * math.Pi * turn)
	return [2]float64{radius * sin, -radius * cos}
}

// coordinate rounds to hundredths, and -0.00 to 0.00.
func coordinate(v float64) string { return fmt.Sprintf("%.2f", math.Round(v*100)/100+0) }
