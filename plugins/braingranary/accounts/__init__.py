"""Who may do what at the front door: accounts, passwords, tokens, invitations and the audit trail. No web framework."""
