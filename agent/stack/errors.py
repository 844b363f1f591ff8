"""The one error of the stack: something the user can set right."""


class StackError(ValueError):
    """The stack can't do what was asked; the message is one line that says what to do."""
