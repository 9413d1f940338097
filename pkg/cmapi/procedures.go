package cmapi

import (
	"context"
	"encoding/json"
)

// Procedures calls the operations on token procedures.
type Procedures struct{ c *Client }

// Procedure is a token procedure that is open to the calling officer. Writes
// name it by Name, registration paths by ID.
type Procedure struct {
	ID    string // procid
	Name  string
	Extra map[string]json.RawMessage // members of a newer gateway
}

// UnmarshalJSON reads an entry of listProcedures.
func (p *Procedure) UnmarshalJSON(raw []byte) (err error) {
	var o object
	if err = json.Unmarshal(raw, &o); err != nil {
		return err
	}
	if p.ID, err = o.text("procid"); err != nil {
		return err
	}
	if p.Name, err = o.text("name"); err != nil {
		return err
	}
	p.Extra = o.rest()
	return nil
}

// MarshalJSON writes the API's names in a fixed order.
func (p Procedure) MarshalJSON() ([]byte, error) {
	var m members
	m.put("procid", p.ID)
	m.put("name", p.Name)
	m.extra(p.Extra)
	return m.bytes()
}

// List returns the token procedures open to the officer (listProcedures). A
// gateway answers -1 when there is none.
func (p *Procedures) List(ctx context.Context) ([]Procedure, error) {
	r := opListProcedures.read(nil, acceptJSON)
	a, err := p.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	var out struct{ Procedures []Procedure }
	if err := decodeJSON(r, a, &out); err != nil {
		return nil, err
	}
	return out.Procedures, nil
}
