"""Actions: everything that a person or a program may do to the installation, one function for each, in modules by noun.

The first argument of an action is the actor. The action checks the actor's rights and the given values, changes the
store, and adds an entry to the audit log. The command line and the pages of signed links only parse their input, call
an action and show the result. Therefore a further interface, such as an API, need not repeat any rule.

An action raises NotAllowedError, InvalidValueError or another ActionError; the text of each is for the person who acts.
After these errors nothing was changed. An action raises UnavailableError if the store cannot be written now. The entry
in the audit log is written after the change; if only the entry cannot be written, UnavailableError is raised although
the change was made. It is safe to repeat the action then; the repetition adds an entry if the action still finds
something to change.
"""
