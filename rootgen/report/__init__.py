"""(vocabulary of report: written with the room)"""
