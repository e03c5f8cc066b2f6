"""The page that shows the API: its files, as they are sent (`http.describing`)."""
