"""The console: pages for people, over what the API answers to programs.

`site` says which pages there are, `render` makes them. A page is a handler here, a template of the
same name in `web/templates/` and, where it moves by itself, a script of the same name in `web/`.
"""
