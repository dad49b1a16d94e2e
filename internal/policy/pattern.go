package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Wildcard is a compiled pattern without variables: * is any text, ? one character, the rest stands for itself.
type Wildcard struct{ p pattern }

// NewWildcard compiles a pattern. Every text is one.
func NewWildcard(text string) Wildcard { return Wildcard{newPattern(split(text))} }

// Match reports whether the whole text matches. Its time is linear, save that a part between two stars that mixes
// letters and question marks costs at most its own length times the text's.
func (w Wildcard) Match(text string) bool { return w.p.match(text, nil, false) }

// Escape makes text stand for itself inside a Resource or a condition value of a policy with Version 2012-10-17. Whoever
// builds a policy from names that others chose must use it: a key named "*" would otherwise widen access.
func Escape(text string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(text)
}

type pieceKind int

const (
	literal  pieceKind = iota
	one                // ?
	many               // *
	variable           // ${key} or ${key, 'default'}
)

// piece is a part of a pattern. Text is the literal, or the variable's key in lower case.
type piece struct {
	kind       pieceKind
	text       string
	fallback   string
	hasDefault bool
}

// split cuts a text into literals and wildcards.
func split(text string) []piece {
	var out []piece
	for text != "" {
		i := strings.IndexAny(text, "*?")
		switch {
		case i < 0:
			return appendLiteral(out, text)
		case i > 0:
			out = appendLiteral(out, text[:i])
		}
		out = appendWildcard(out, text[i])
		text = text[i+1:]
	}
	return out
}

func appendLiteral(ps []piece, text string) []piece {
	if text == "" {
		return ps
	}
	if n := len(ps); n > 0 && ps[n-1].kind == literal {
		ps[n-1].text += text
		return ps
	}
	return append(ps, piece{kind: literal, text: text})
}

// appendWildcard keeps a run of wildcards in its cheapest order: "*?*" is "?*", after which nothing has to be tried at
// every place.
func appendWildcard(ps []piece, c byte) []piece {
	n := len(ps)
	afterStar := n > 0 && ps[n-1].kind == many
	switch {
	case c == '?' && afterStar:
		return append(ps[:n-1], piece{kind: one}, piece{kind: many})
	case c == '?':
		return append(ps, piece{kind: one})
	case afterStar:
		return ps
	}
	return append(ps, piece{kind: many})
}

// splitTemplate cuts a text of a Version 2012-10-17 policy into literals, variables and, if asked for, wildcards.
//
//	variable = "${" key [ "," spaces "'" default "'" ] "}"
//	escape   = "${*}" | "${?}" | "${$}"
func splitTemplate(text string, wildcards bool) ([]piece, string) {
	var out []piece
	plain := func(s string) {
		if wildcards {
			for _, p := range split(s) {
				switch p.kind {
				case literal:
					out = appendLiteral(out, p.text)
				case one:
					out = appendWildcard(out, '?')
				default:
					out = appendWildcard(out, '*')
				}
			}
			return
		}
		out = appendLiteral(out, s)
	}
	for {
		before, rest, found := strings.Cut(text, "${")
		plain(before)
		if !found {
			return out, ""
		}
		if len(rest) >= 2 && rest[1] == '}' && strings.IndexByte("*?$", rest[0]) >= 0 {
			out = appendLiteral(out, rest[:1])
			text = rest[2:]
			continue
		}
		end := strings.IndexAny(rest, ",}")
		if end < 0 {
			return nil, "a policy variable has no closing brace"
		}
		v := piece{kind: variable, text: lower(strings.TrimSpace(rest[:end]))}
		if problem := checkKey(v.text); problem != "" {
			return nil, "policy variable: " + problem
		}
		if rest[end] == ',' {
			quoted := strings.TrimLeft(rest[end+1:], " ")
			value, after, closed := strings.Cut(strings.TrimPrefix(quoted, "'"), "'")
			after = strings.TrimLeft(after, " ")
			if !strings.HasPrefix(quoted, "'") || !closed || !strings.HasPrefix(after, "}") {
				return nil, "the default of a policy variable must be in single quotes"
			}
			v.fallback, v.hasDefault = value, true
			text = after[1:]
		} else {
			text = rest[end+1:]
		}
		out = append(out, v)
	}
}

// pattern matches whole texts. The forms of nearly all patterns in use (a literal, a literal and a star, a star) have a
// short way.
type pattern struct {
	pieces   []piece
	form     patternForm
	literal  string // of exact and prefix
	variable bool
}

type patternForm int

const (
	general patternForm = iota
	exact
	prefix
	anything
)

func newPattern(ps []piece) pattern {
	p := pattern{pieces: ps, variable: slices.ContainsFunc(ps, func(p piece) bool { return p.kind == variable })}
	switch {
	case len(ps) == 0:
		p.form = exact
	case len(ps) == 1 && ps[0].kind == literal:
		p.form, p.literal = exact, ps[0].text
	case len(ps) == 1 && ps[0].kind == many:
		p.form = anything
	case len(ps) == 2 && ps[0].kind == literal && ps[1].kind == many:
		p.form, p.literal = prefix, ps[0].text
	}
	return p
}

// match reports whether the whole text matches. A variable that the context does not resolve stands for any text if
// widen is set; otherwise the pattern matches nothing.
func (p *pattern) match(text string, ctx Values, widen bool) bool {
	switch p.form {
	case exact:
		return p.literal == text
	case prefix:
		return strings.HasPrefix(text, p.literal)
	case anything:
		return true
	}
	if !p.variable {
		return matchPieces(p.pieces, text)
	}
	var buf [12]piece
	resolved, ok := p.resolve(buf[:0], ctx, widen)
	return ok && matchPieces(resolved, text)
}

// resolve appends the pieces with each variable replaced by its value, which stands for itself whatever it contains.
func (p *pattern) resolve(out []piece, ctx Values, widen bool) ([]piece, bool) {
	for _, v := range p.pieces {
		if v.kind == variable {
			value, ok := v.value(ctx)
			switch {
			case ok:
				v = piece{kind: literal, text: value}
			case widen:
				v = piece{kind: many}
			default:
				return nil, false
			}
		}
		out = append(out, v)
	}
	return out, true
}

// value is the text that a variable stands for. A key with several values cannot be a variable.
func (p *piece) value(ctx Values) (string, bool) {
	if values := ctx.get(p.text); len(values) == 1 {
		return values[0], true
	} else if len(values) == 0 && p.hasDefault {
		return p.fallback, true
	}
	return "", false
}

// matchPieces remembers the last star alone: if what follows it does not fit, it takes one more character. What an
// earlier star took never has to change, since the leftmost fit leaves the most for the rest.
func matchPieces(ps []piece, text string) bool {
	pi, at := 0, 0
	star, starAt := -1, 0
	for {
		if pi == len(ps) && at == len(text) {
			return true
		}
		if pi < len(ps) {
			switch p := &ps[pi]; p.kind {
			case many:
				pi++
				if pi == len(ps) {
					return true
				}
				star, starAt = pi, at
				var ok bool
				if at, ok = skip(ps, pi, text, at); !ok {
					return false
				}
				starAt = at
				continue
			case one:
				if at == len(text) {
					return false // a later start has even less text
				}
				at += width(text[at:])
				pi++
				continue
			case literal:
				if len(text)-at < len(p.text) {
					return false
				}
				if strings.HasPrefix(text[at:], p.text) {
					at += len(p.text)
					pi++
					continue
				}
			}
		}
		if star < 0 || starAt == len(text) {
			return false
		}
		var ok bool
		if at, ok = skip(ps, star, text, starAt+width(text[starAt:])); !ok {
			return false
		}
		starAt, pi = at, star
	}
}

// skip is the first place from at where the piece after a star may begin.
func skip(ps []piece, pi int, text string, at int) (int, bool) {
	p := &ps[pi]
	if p.kind != literal {
		return at, true
	}
	if pi == len(ps)-1 { // the last literal can only stand at the end
		end := len(text) - len(p.text)
		return end, end >= at && text[end:] == p.text
	}
	i := strings.Index(text[at:], p.text)
	return at + i, i >= 0
}

// width is the length of the first character; a byte that is not UTF-8 counts as one.
func width(text string) int {
	if text[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// lower makes the ASCII letters small and leaves every other character: strings.ToLower would turn the Kelvin sign
// into k.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
