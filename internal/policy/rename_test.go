package policy

import "testing"

func TestRenamePrincipals(t *testing.T) {
	const role, id = "arn:aws:iam::111111111111:role/app", "AROAAAAAAAAAAAAAAAAA"
	for name, test := range map[string]struct{ text, want string }{
		"one":        {`{"Statement":[{"Principal":{"AWS":"` + role + `"}}]}`, `{"Statement":[{"Principal":{"AWS":"` + id + `"}}]}`},
		"of a list":  {`{"Statement":[{"Principal":{"AWS":["*","` + role + `"]}}]}`, `{"Statement":[{"Principal":{"AWS":["*","` + id + `"]}}]}`},
		"spared":     {`{"Statement":[{"NotPrincipal":{"AWS":"` + role + `"}}]}`, `{"Statement":[{"NotPrincipal":{"AWS":"` + id + `"}}]}`},
		"alone":      {`{"Statement":{"Principal":{"AWS":"` + role + `"}}}`, `{"Statement":{"Principal":{"AWS":"` + id + `"}}}`},
		"everyone":   {`{"Statement":[{"Principal":"*"}]}`, `{"Statement":[{"Principal":"*"}]}`},
		"a service":  {`{"Statement":[{"Principal":{"Service":"` + role + `"}}]}`, `{"Statement":[{"Principal":{"Service":"` + role + `"}}]}`},
		"elsewhere":  {`{"Statement":[{"Condition":{"ArnEquals":{"AWS":"` + role + `"}}}]}`, `{"Statement":[{"Condition":{"ArnEquals":{"AWS":"` + role + `"}}}]}`},
		"the number": {`{"Statement":[{"Condition":{"a":12345678901234567890}}]}`, `{"Statement":[{"Condition":{"a":12345678901234567890}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := RenamePrincipals(test.text, map[string]string{role: id})
			if err != nil || got != test.want {
				t.Errorf("got %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
	if got, err := RenamePrincipals(" { } ", nil); got != " { } " || err != nil {
		t.Errorf("without names: %q, %v", got, err)
	}
	if _, err := RenamePrincipals("{", map[string]string{role: id}); err == nil {
		t.Error("what is no policy was renamed")
	}
}
