package server

// Service tells which operations of a service are implemented.
type Service struct {
	Name       string
	Operations []Operation
}

// Operation is one operation of a service.
type Operation struct {
	Name        string
	Implemented bool
}

// Services lists every service of the API door with its operations.
func Services() []Service {
	var all []Service
	for _, m := range (&services{}).mount().Services() {
		s := Service{Name: m.Model.Name}
		for _, o := range m.Operations {
			s.Operations = append(s.Operations, Operation{Name: o.Name, Implemented: o.Implemented()})
		}
		all = append(all, s)
	}
	return all
}
