// Draws the document of the API. Requests can be tried that read: others need a reason and a token.
"use strict";

/** The viewer's own layout takes itself for a whole page: a second main part, a head above ours. */
const partsOnly = ({ React }) => ({
  components: {
    PartsOnly: ({ getComponent }) =>
      React.createElement(
        "div",
        { className: "swagger-ui" },
        React.createElement(getComponent("SvgAssets")),
        ...["errors", "AuthorizeBtnContainer", "operations"].map((name) =>
          React.createElement(getComponent(name, true), { key: name }),
        ),
      ),
  },
});

SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("docs"),
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  supportedSubmitMethods: ["get"],
  validatorUrl: null,
  plugins: [partsOnly],
  layout: "PartsOnly",
  onComplete: () => {
    for (const head of document.querySelectorAll(".api h3")) head.setAttribute("aria-level", "2");
  },
});
