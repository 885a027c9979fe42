"""The pages of the console, made from the answers of the API.

`site` lists the pages, `render` renders them. A page is a handler here, a template of the
same name in `web/templates/` and, where it moves by itself, a script of the same name in `web/`.
"""
