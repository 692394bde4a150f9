"""Actions: everything that a person or a program may do to the installation, one function each, in modules by noun.

The first argument of an action is the actor. The action checks the actor's rights and the values that it is given,
changes the store, and adds an entry to the audit log. The command line and the pages behind signed links only parse
their input, call an action and show the result; other ways in (an API, a console) need not repeat any rule.

An action raises NotAllowedError, InvalidValueError or another ActionError, each with a text for the person who acts,
and UnavailableError if the store cannot be written now. All but the last mean that nothing was changed. The entry in
the audit log is written right after the change: where the entry cannot be written, UnavailableError is raised although
the change was made. Acting again is safe then; it adds an entry if the action still finds something to change.
"""
